import { expect, test } from 'vitest'
import { type Fault, getBytes, MemoryStore, withFaults } from '../src/index.ts'
import { countingBytes, keysOf, storeWith } from './store-under-test.ts'

const bytes = countingBytes(25)

async function faulty(...plan: Fault[]) {
  const inner = await storeWith({ a: bytes, b: bytes, c: bytes })
  return { inner, store: withFaults(inner, plan) }
}

test('a fault hits the calls that it counts, and no others', async () => {
  const { store } = await faulty(
    { operation: 'head', key: 'a', at: 2, fault: 'fail' },
    { operation: 'head', key: /^[bc]/, at: [2, 3], fault: 'fail', error: 'timeout' },
  )
  const codes: string[] = []
  for (const key of ['a', 'b', 'c', 'a', 'a', 'b', 'b']) {
    codes.push(
      await store.head(key).then(
        () => 'ok',
        (e: { code: string }) => e.code,
      ),
    )
  }
  expect(codes).toEqual(['ok', 'ok', 'timeout', 'unavailable', 'ok', 'timeout', 'ok'])
  expect(store.fired.map(({ key }) => key)).toEqual(['c', 'a', 'b'])
})

test('a fault can reject with any error', async () => {
  const error = new TypeError('terminated')
  const { store } = await faulty({ operation: 'get', fault: 'fail', error })
  await expect(store.get('a')).rejects.toBe(error)
})

test('fail applies nothing, applied-but-failed applies and rejects', async () => {
  const { inner, store } = await faulty(
    { operation: 'put', key: 'x', fault: 'fail' },
    { operation: 'put', key: 'y', fault: 'applied-but-failed' },
    { operation: 'delete', key: 'a', fault: 'fail' },
    { operation: 'delete', key: 'b', fault: 'applied-but-failed' },
  )
  for (const key of ['x', 'y'])
    await expect(store.put(key, bytes)).rejects.toMatchObject({ code: 'unavailable', key })
  for (const key of ['a', 'b'])
    await expect(store.delete([key])).rejects.toMatchObject({ code: 'unavailable' })
  expect(await keysOf(inner.list())).toEqual(['a', 'c', 'y'])
})

test('not-applied-but-succeeded lies about puts, and about the selected keys of a delete', async () => {
  const { inner, store } = await faulty(
    { operation: 'put', fault: 'not-applied-but-succeeded' },
    { operation: 'delete', key: 'b', fault: 'not-applied-but-succeeded' },
  )
  expect((await store.put('x', bytes)).size).toBe(25)
  await store.delete(['a', 'b'])
  expect(await keysOf(inner.list())).toEqual(['b', 'c'])
})

test('ignore-precondition overwrites, partial leaves a part', async () => {
  const { inner, store } = await faulty(
    { operation: 'put', key: 'a', fault: 'ignore-precondition' },
    { operation: 'put', key: 'x', fault: 'partial', bytes: 4 },
  )
  await store.put('a', Uint8Array.of(9), { precondition: { kind: 'absent' } })
  expect(await getBytes(inner, 'a')).toEqual(Uint8Array.of(9))
  await expect(store.put('x', bytes)).rejects.toMatchObject({ code: 'unavailable' })
  expect(await getBytes(inner, 'x')).toEqual(bytes.subarray(0, 4))
})

test('listings can be cut, stale and shuffled, also together', async () => {
  let now = 0
  const inner = new MemoryStore({ now: () => new Date(++now) })
  const keys = Array.from({ length: 20 }, (_, i) => `k${String(i).padStart(2, '0')}`)
  for (const key of keys.toReversed()) await inner.put(key, bytes)
  const store = withFaults(inner, [{ operation: 'list', fault: 'stale', newest: 3 }])
  expect(await keysOf(store.list())).toEqual(keys.slice(3))
  store.setPlan([{ operation: 'list', fault: 'shuffle', seed: 7 }])
  const shuffled = await keysOf(store.list())
  expect(shuffled).not.toEqual(keys)
  expect(shuffled.toSorted()).toEqual(keys)
  expect(await keysOf(store.list())).toEqual(shuffled)
  store.setPlan([{ operation: 'list', key: 'k0', at: 1, fault: 'cut', entries: 4, error: 'rate-limited' }])
  const seen: string[] = []
  const listing = (async () => {
    for await (const { key } of store.list({ prefix: 'k0' })) seen.push(key)
  })()
  await expect(listing).rejects.toMatchObject({ code: 'rate-limited' })
  expect(seen).toEqual(keys.slice(0, 4))
  store.setPlan([])
  expect(await keysOf(store.list())).toEqual(keys)
})

test('delay holds a call before or after it is applied, until the gate opens or an abort', async () => {
  const gate = Promise.withResolvers<void>()
  const { inner, store } = await faulty(
    { operation: 'put', key: 'before', fault: 'delay', wait: () => gate.promise },
    { operation: 'put', key: 'after', fault: 'delay', when: 'after', wait: () => gate.promise },
  )
  const puts = [store.put('before', bytes), store.put('after', bytes)]
  const aborter = new AbortController()
  const aborted = store.put('before', bytes, { signal: aborter.signal })
  aborter.abort(new Error('enough'))
  await expect(aborted).rejects.toThrow('enough')
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
  expect(await keysOf(inner.list())).toEqual(['a', 'after', 'b', 'c'])
  gate.resolve()
  await Promise.all(puts)
  expect(await keysOf(inner.list())).toEqual(['a', 'after', 'b', 'before', 'c'])
})

test('T28 T29: a body can end early, with an error or as if it were whole', async () => {
  const { store } = await faulty(
    { operation: 'get', key: 'a', fault: 'truncate', bytes: 12, ending: 'silent' },
    { operation: 'get', key: 'b', fault: 'truncate', bytes: 12, error: 'timeout' },
  )
  const read = async (key: string) => {
    let size = 0
    const { info, body } = await store.get(key)
    try {
      for await (const chunk of body) size += chunk.length
    } catch (error) {
      return [size, info.size, (error as { code: string }).code]
    }
    return [size, info.size]
  }
  expect(await read('a')).toEqual([12, 25])
  expect(await read('b')).toEqual([12, 25, 'timeout'])
})
