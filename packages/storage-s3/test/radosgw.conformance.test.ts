import { serverOrReason, startRadosgw } from '@sqlstream/testkit/servers'
import { afterAll, describe } from 'vitest'
import { s3Conformance } from './conformance.ts'
import { withBucket } from './servers.ts'

const PART = 100_000

const server = await serverOrReason('radosgw', () => withBucket(startRadosgw(PART)))

describe.skipIf('reason' in server)(`radosgw${'reason' in server ? `: ${server.reason}` : ''}`, () => {
  if ('reason' in server) return
  afterAll(() => server[Symbol.asyncDispose]())
  s3Conformance('S3Store on Ceph', {
    endpoint: () => server.endpoint,
    store: { partSize: PART },
    largeBytes: 5 * PART + 7,
  })
})
