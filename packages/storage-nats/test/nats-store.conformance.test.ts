import { describeConformance } from '@sqlstream/storage-conformance'
import { describe, it } from 'vitest'
import { newBucket, open, reason } from './nats.ts'

describe.skipIf(reason !== undefined)(reason ?? 'nats-server', async () => {
  const { bucket } = reason === undefined ? await newBucket() : { bucket: '' }

  describeConformance({ describe, it }, 'NATSStore', {
    // The server tells its names in pages of 100,000, deletes are single: more objects prove no more.
    manyKeys: 300,
    open: () => open(bucket),
    openMissing: () => open('missing'),
  })
  describeConformance({ describe, it }, 'NATSStore below a prefix', {
    open: () => open(bucket, { prefix: 'a/b-c/' }),
    openMissing: () => open('missing', { prefix: 'a/' }),
    manyKeys: 50,
  })
})
