import { getBytes } from '@sqlstream/storage'
import { someBytes } from '../bytes.ts'
import { type Case, keysOf } from '../case.ts'
import { expectBytes, expectCode, expectEqual } from '../expect.ts'

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
    needsMissing: true,
    async run({ harness }) {
      await using store = await harness.openMissing!()
      await expectCode(keysOf(store.list()), 'not-found', 'list')
      await expectCode(store.head('a'), 'not-found', 'head')
      await expectCode(store.get('a'), 'not-found', 'get')
      await expectCode(store.put('a', someBytes(1)), 'not-found', 'put')
      await expectCode(store.delete(['a']), 'not-found', 'delete')
    },
  },
  {
    name: 'S41: stores on the same place share their objects and not their end',
    async run({ harness, store, open }) {
      const other = await open()
      await store.put('a', someBytes(10))
      expectBytes(await getBytes(other, 'a'), someBytes(10), 'object by the other store')
      const third = await harness.open()
      await third[Symbol.asyncDispose]()
      await third[Symbol.asyncDispose]()
      await other.delete(['a'])
      await expectCode(store.head('a'), 'not-found', 'head after a delete by the other store')
    },
  },
]
