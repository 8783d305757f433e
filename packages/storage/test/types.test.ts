import { expect, test } from 'vitest'
import type { BlobStore, ByteRange, ETag, Fault, Precondition, StorageErrorCode } from '../src/index.ts'

// tsc compiles this file: a line marked as an error that is none fails the check.

test('wrong calls do not compile', () => {
  // @ts-expect-error a range is an offset or a suffix
  const both: ByteRange = { offset: 0, suffix: 1 }
  // @ts-expect-error a length needs an offset
  const lengthOnly: ByteRange = { length: 1 }
  // @ts-expect-error match needs an etag
  const match: Precondition = { kind: 'match' }
  // @ts-expect-error an etag comes from a store
  const etag: ETag = 'text'
  // @ts-expect-error codes are a closed list
  const code: StorageErrorCode = 'gone'
  // @ts-expect-error only a body can be truncated
  const truncated: Fault = { operation: 'put', fault: 'truncate', bytes: 1 }
  // @ts-expect-error only a listing can be stale
  const stale: Fault = { operation: 'get', fault: 'stale', newest: 1 }
  // @ts-expect-error a store disposes of what it holds
  const store: Omit<BlobStore, typeof Symbol.asyncDispose> extends BlobStore ? true : never = true
  expect([both, lengthOnly, match, etag, code, truncated, stale, store]).toHaveLength(8)
})
