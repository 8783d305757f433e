import { expect, test } from 'vitest'
import { discardBody, getBytes, type StorageOperation, withObserver } from '../src/index.ts'
import { chunksBody, countingBytes, keysOf, storeWith } from './store-under-test.ts'

async function observed() {
  const seen: StorageOperation[] = []
  const store = withObserver(await storeWith({ a: countingBytes(35), b: countingBytes(5) }), (op) =>
    seen.push(op),
  )
  return { store, seen }
}

test('each call is reported once with its bytes, keys and time', async () => {
  const { store, seen } = await observed()
  await keysOf(store.list())
  await store.head('a')
  await getBytes(store, 'a')
  await store.put('c', countingBytes(7))
  await store.put('c', chunksBody([countingBytes(4), countingBytes(5)]))
  await store.delete(['a', 'b'])
  expect(seen.map(({ operation, key, bytes, keys }) => [operation, key, bytes, keys])).toEqual([
    ['list', undefined, 0, 2],
    ['head', 'a', 0, 1],
    ['get', 'a', 35, 1],
    ['put', 'c', 7, 1],
    ['put', 'c', 9, 1],
    ['delete', undefined, 0, 2],
  ])
  for (const op of seen) {
    expect(op.milliseconds).toBeGreaterThanOrEqual(0)
    expect(op).not.toHaveProperty('error')
  }
})

test('a body counts what was read of it, and is reported when it is released', async () => {
  const { store, seen } = await observed()
  const { body } = await store.get('a')
  expect(seen).toEqual([])
  for await (const _ of body) break
  await discardBody((await store.get('b')).body)
  for await (const _ of store.list()) break
  expect(seen.map(({ bytes, keys }) => [bytes, keys])).toEqual([
    [10, 1],
    [0, 1],
    [0, 1],
  ])
})

test('failures are reported with the error that the caller gets', async () => {
  const { store, seen } = await observed()
  const failures = [
    await store.head('missing').catch((e: unknown) => e),
    await store.get('missing').catch((e: unknown) => e),
    await keysOf(store.list({ prefix: '//' })).catch((e: unknown) => e),
    await store
      .put('x', {
        open: async function* () {
          yield countingBytes(3)
          throw new Error('broke')
        },
      })
      .catch((e: unknown) => e),
  ]
  expect(seen.map(({ error }) => error)).toEqual(failures)
  expect(seen.map(({ operation }) => operation)).toEqual(['head', 'get', 'list', 'put'])
})

test('a callback that throws does no harm', async () => {
  const store = withObserver(await storeWith({ a: countingBytes(3) }), () => {
    throw new Error('bad listener')
  })
  expect(await getBytes(store, 'a')).toEqual(countingBytes(3))
  expect(await keysOf(store.list())).toEqual(['a'])
})
