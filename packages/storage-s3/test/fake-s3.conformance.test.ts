import { FakeS3 } from '@sqlstream/testkit/servers'
import { afterAll, beforeAll } from 'vitest'
import { s3Conformance } from './conformance.ts'
import { CREDENTIALS } from './conformance-options.ts'

/** Bytes of parts where they are to be many. */
const PART = 100_000

let signed: FakeS3
let unsigned: FakeS3
let putOnly: FakeS3
let unconditional: FakeS3

beforeAll(async () => {
  const small = { minPartBytes: PART, credentials: CREDENTIALS }
  signed = await FakeS3.start({ credentials: CREDENTIALS })
  unsigned = await FakeS3.start(small)
  putOnly = await FakeS3.start({ ...small, conditions: 'put-only', batchDelete: 'refused' })
  unconditional = await FakeS3.start({ ...small, conditions: 'refused', batchDelete: 'md5-only' })
})
afterAll(async () => {
  for (const fake of [signed, unsigned, putOnly, unconditional]) await fake[Symbol.asyncDispose]()
})

const small = { manyKeys: 40, largeBytes: 5 * PART + 7 }

s3Conformance('S3Store on a service like AWS', {
  endpoint: () => signed.url,
  store: { conditionalComplete: true, conditionalCopy: true },
})
s3Conformance('S3Store in many small parts, bodies unsigned', {
  ...small,
  endpoint: () => unsigned.url,
  store: { conditionalComplete: true, signPayload: false, partSize: PART },
})
s3Conformance('S3Store on a service that ignores conditions of uploads and has no batches', {
  ...small,
  endpoint: () => putOnly.url,
  store: { partSize: PART },
})
s3Conformance('S3Store on a service without conditions', {
  ...small,
  endpoint: () => unconditional.url,
  store: { conditionalPut: false, partSize: PART },
})
