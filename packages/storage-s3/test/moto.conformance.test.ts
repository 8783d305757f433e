import { serverOrReason, startMoto } from '@sqlstream/testkit/servers'
import { afterAll, describe } from 'vitest'
import { s3Conformance } from './conformance.ts'
import { withBucket } from './servers.ts'

const PART = 100_000

const server = await serverOrReason('moto', () => withBucket(startMoto(PART)))

describe.skipIf('reason' in server)(`moto${'reason' in server ? `: ${server.reason}` : ''}`, () => {
  if ('reason' in server) return
  afterAll(() => server[Symbol.asyncDispose]())
  s3Conformance('S3Store on moto', {
    endpoint: () => server.endpoint,
    store: { partSize: PART },
    checksSignatures: false,
    largeBytes: 5 * PART + 7,
    manyKeys: 60,
  })
})
