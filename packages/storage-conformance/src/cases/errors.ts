import {
  type BlobStore,
  getBytes,
  isStorageError,
  type StorageError,
  type StorageErrorCode,
  type StorageOperationName,
} from '@sqlstream/storage'
import { someBytes } from '../bytes.ts'
import { type Case, keysOf } from '../case.ts'
import { expectBytes, expectCode, expectEqual, expectTrue, reasonOf, within } from '../expect.ts'

/** A driver tries again before it gives up. */
const FAILURE_PATIENCE_MS = 60_000

/** Makes every call once; each must fail with one of these codes. */
async function expectFailures(
  store: BlobStore,
  codes: readonly StorageErrorCode[],
  secrets: readonly string[] = [],
): Promise<StorageError[]> {
  const calls: readonly [StorageOperationName, () => Promise<unknown>][] = [
    ['list', () => keysOf(store.list())],
    ['head', () => store.head('a')],
    ['get', () => store.get('a')],
    ['put', () => store.put('a', someBytes(1))],
    ['delete', () => store.delete(['a'])],
  ]
  const errors: StorageError[] = []
  for (const [operation, call] of calls) {
    const reason = await within(FAILURE_PATIENCE_MS, reasonOf(call(), operation), operation)
    if (!isStorageError(reason)) throw new Error(`${operation}: rejected with ${reason}`, { cause: reason })
    expectTrue(codes.includes(reason.code), `${operation}: rejected with '${reason.code}': ${reason.message}`)
    expectEqual(reason.operation, operation, 'operation of the error')
    const shown = `${reason.message} ${reason.hint ?? ''}`
    expectTrue(!secrets.some((secret) => shown.includes(secret)), `the error of ${operation} shows a secret`)
    errors.push(reason)
  }
  return errors
}

export const errorCases: readonly Case[] = [
  {
    name: 'S39: an error names driver, operation and key',
    async run({ store }) {
      const errors = [
        ['head', await expectCode(store.head('x/y'), 'not-found', 'head')],
        ['get', await expectCode(store.get('x/y'), 'not-found', 'get')],
        ['put', await expectCode(store.put('x//y', someBytes(1)), 'invalid-key', 'put')],
        ['delete', await expectCode(store.delete(['x//y']), 'invalid-key', 'delete')],
      ] as const
      for (const [operation, error] of errors) {
        expectEqual(error.operation, operation, 'operation')
        expectEqual(error.driver, store.driver, `driver of ${operation}`)
        expectEqual(
          error.key,
          operation === 'head' || operation === 'get' ? 'x/y' : 'x//y',
          `key of ${operation}`,
        )
        expectEqual(error.transient, false, `transient of ${operation}`)
      }
    },
  },
  {
    name: 'S40: every call on a bucket that does not exist rejects',
    needs: 'openMissing',
    async run({ harness }) {
      await using store = await harness.openMissing!()
      await expectFailures(store, ['not-found'], harness.secrets)
    },
  },
  {
    name: 'S45: every call with credentials that are refused rejects, and nothing shows them',
    needs: 'openDenied',
    async run({ harness }) {
      await using store = await harness.openDenied!()
      await expectFailures(store, ['permission-denied'], harness.secrets)
    },
  },
  {
    name: 'S46: every call on a service that does not answer rejects, and may succeed later',
    needs: 'openUnreachable',
    async run({ harness }) {
      await using store = await harness.openUnreachable!()
      for (const error of await expectFailures(store, ['unavailable', 'timeout'], harness.secrets))
        expectEqual(error.transient, true, `transient of ${error.operation}`)
    },
  },
  {
    name: 'S41: stores on the same place share their objects and not their end',
    async run({ harness, store, open }) {
      const other = await open()
      await store.put('a', someBytes(10))
      expectBytes(await getBytes(other, 'a'), someBytes(10), 'object by the other store')
      for (let size = 9; size >= 0; size--) {
        const { etag } = await store.put('a', someBytes(size))
        expectEqual((await other.head('a')).etag, etag, 'etag by the other store')
        expectBytes(await getBytes(other, 'a'), someBytes(size), `${size} bytes by the other store`)
      }
      const third = await harness.open()
      await third[Symbol.asyncDispose]()
      await third[Symbol.asyncDispose]()
      await other.delete(['a'])
      await expectCode(store.head('a'), 'not-found', 'head after a delete by the other store')
    },
  },
]
