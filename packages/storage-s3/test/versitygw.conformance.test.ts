import { serverOrReason, startVersityGW } from '@sqlstream/testkit/servers'
import { afterAll, describe } from 'vitest'
import { s3Conformance } from './conformance.ts'
import { withBucket } from './servers.ts'

const PART = 5 << 20

const server = await serverOrReason('versitygw', () => withBucket(startVersityGW()))

describe.skipIf('reason' in server)(`versitygw${'reason' in server ? `: ${server.reason}` : ''}`, () => {
  if ('reason' in server) return
  afterAll(() => server[Symbol.asyncDispose]())
  s3Conformance('S3Store on versitygw', {
    endpoint: () => server.endpoint,
    store: { partSize: PART },
    manyKeys: 60,
    largeBytes: 2 * PART + 7,
  })
})
