import { expect, test } from 'vitest'
import {
  type BlobStore,
  copyBlob,
  getBytes,
  MemoryStore,
  relayCopy,
  type StorageOperation,
  withConcurrency,
  withFaults,
  withObserver,
  withPrefix,
} from '../src/index.ts'
import { keysOf, storeWith } from './store-under-test.ts'

const one = Uint8Array.of(1)
const absent = { precondition: { kind: 'absent' } } as const

test('a copy passes through every wrapper of both ends, which translate its keys', async () => {
  const store = await storeWith({ 'a/b/x': one })
  const from = withPrefix(withConcurrency(withPrefix(store, 'a/'), 1), 'b/')
  const to = withFaults(withPrefix(withConcurrency(store, 1), 'c/'), [])
  expect(await copyBlob({ store: from, key: 'x' }, { store: to, key: 'y' }, absent)).toMatchObject({
    key: 'y',
    size: 1,
  })
  expect(await keysOf(store.list())).toEqual(['a/b/x', 'c/y'])
  await expect(copyBlob({ store: from, key: 'x' }, { store: to, key: 'y' }, absent)).rejects.toMatchObject({
    code: 'precondition-failed',
    key: 'y',
    operation: 'copy',
  })
  await expect(copyBlob({ store: from, key: 'z' }, { store: to, key: 'w' })).rejects.toMatchObject({
    code: 'not-found',
    key: 'w',
    message: 'there is no object a/b/z',
  })
})

test('a copy is one call to those who watch, with no bytes', async () => {
  const seen: StorageOperation[] = []
  const store = withObserver(await storeWith({ x: one }), (operation) => seen.push(operation))
  await copyBlob({ store, key: 'x' }, { store, key: 'y' })
  await expect(copyBlob({ store, key: 'z' }, { store, key: 'y' })).rejects.toThrow()
  expect(seen).toMatchObject([
    { operation: 'copy', key: 'y', bytes: 0, keys: 1 },
    { operation: 'copy', key: 'y', error: { code: 'not-found' } },
  ])
})

test('a copy waits for its turn', async () => {
  const gate = Promise.withResolvers<void>()
  const inner = withFaults(await storeWith({ x: one }), [
    { operation: 'copy', at: 1, fault: 'delay', wait: () => gate.promise },
  ])
  const store = withConcurrency(inner, 1)
  const order: string[] = []
  const first = copyBlob({ store, key: 'x' }, { store, key: 'y' }).then(() => order.push('first'))
  const second = copyBlob({ store, key: 'x' }, { store, key: 'z' }).then(() => order.push('second'))
  await store[Symbol.asyncDispose]()
  gate.resolve()
  await Promise.all([first, second])
  expect(order).toEqual(['first', 'second'])
})

test('a copy fails as planned', async () => {
  const store = withFaults(await storeWith({ x: one, old: Uint8Array.of(2) }), [
    { operation: 'copy', key: 'a', fault: 'fail' },
    { operation: 'copy', key: 'b', fault: 'applied-but-failed', error: 'timeout' },
    { operation: 'copy', key: 'old', fault: 'ignore-precondition' },
  ])
  const copy = (key: string) => copyBlob({ store, key: 'x' }, { store, key }, absent)
  await expect(copy('a')).rejects.toMatchObject({ code: 'unavailable', operation: 'copy', key: 'a' })
  await expect(copy('b')).rejects.toMatchObject({ code: 'timeout' })
  await copy('old')
  expect(await keysOf(store.list())).toEqual(['b', 'old', 'x'])
  expect(await getBytes(store, 'old')).toEqual(one)
})

test('what cannot be copied is left to the caller, and a wrapper of such a store has no copies either', async () => {
  const store = new MemoryStore()
  await store.put('x', one)
  const { driver, capabilities } = store
  const without: BlobStore = {
    driver,
    capabilities,
    list: (options) => store.list(options),
    head: (key, options) => store.head(key, options),
    get: (key, options) => store.get(key, options),
    put: (key, body, options) => store.put(key, body, options),
    delete: (keys, options) => store.delete(keys, options),
    [Symbol.asyncDispose]: async () => {},
  }
  expect(await copyBlob({ store: without, key: 'x' }, { store, key: 'y' })).toBeUndefined()
  expect(await copyBlob({ store, key: 'x' }, { store: without, key: 'y' })).toBeUndefined()
  expect(relayCopy(without)).toEqual({})
  expect(withPrefix(without, 'a/')).not.toHaveProperty('copy')
})
