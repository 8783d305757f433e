import { expect, test } from 'vitest'
import { type BlobStore, discardBody, withConcurrency } from '../src/index.ts'
import { keysOf, readAll, storeWith } from './store-under-test.ts'

const one = Uint8Array.of(1)

/** A store whose calls wait for a gate and that notes how many run together. */
async function gated() {
  const inner = await storeWith({ a: one, b: one })
  const state = { running: 0, most: 0, waiting: [] as (() => void)[] }
  const head: BlobStore['head'] = async (key) => {
    state.running += 1
    state.most = Math.max(state.most, state.running)
    await new Promise<void>((resolve) => state.waiting.push(resolve))
    state.running -= 1
    return inner.head(key)
  }
  return { state, store: Object.assign(Object.create(inner), { head }) as BlobStore }
}

async function drain(waiting: (() => void)[]): Promise<void> {
  for (let idle = 0; idle < 20; idle++) {
    await Promise.resolve()
    for (const open of waiting.splice(0)) {
      open()
      idle = 0
    }
  }
}

test('no more calls run than the limit, and all get their turn', async () => {
  const { state, store } = await gated()
  const limited = withConcurrency(store, 3)
  const calls = Array.from({ length: 10 }, () => limited.head('a'))
  await drain(state.waiting)
  expect((await Promise.all(calls)).length).toBe(10)
  expect(state.most).toBe(3)
})

test('an abort takes a waiting call out of the queue and leaves the place to the next', async () => {
  const { state, store } = await gated()
  const limited = withConcurrency(store, 1)
  const aborter = new AbortController()
  const first = limited.head('a')
  const second = limited.head('a', { signal: aborter.signal })
  const third = limited.head('b')
  aborter.abort(new Error('enough'))
  await expect(second).rejects.toThrow('enough')
  await drain(state.waiting)
  expect([(await first).key, (await third).key]).toEqual(['a', 'b'])
})

test('a call that is let in and aborted at the same moment gives its place on', async () => {
  const { state, store } = await gated()
  const limited = withConcurrency(store, 1)
  for (let turns = 0; turns < 12; turns++) {
    const aborter = new AbortController()
    const first = limited.head('a')
    const second = limited.head('a', { signal: aborter.signal }).catch(() => 'aborted')
    const third = limited.head('b')
    await Promise.resolve()
    for (const open of state.waiting.splice(0)) open()
    for (let turn = 0; turn < turns; turn++) await Promise.resolve()
    aborter.abort()
    await drain(state.waiting)
    await Promise.all([first, second, third])
  }
})

test('a failed call gives its place back', async () => {
  const limited = withConcurrency(await storeWith({ a: one }), 1)
  for (let i = 0; i < 3; i++) {
    await expect(limited.head('missing')).rejects.toMatchObject({ code: 'not-found' })
    await expect(limited.get('missing')).rejects.toMatchObject({ code: 'not-found' })
  }
  expect((await limited.head('a')).key).toBe('a')
})

test('a body keeps its place until it ends or is released', async () => {
  const limited = withConcurrency(await storeWith({ a: one }), 1)
  const first = await limited.get('a')
  let waits = true
  const second = limited.get('a').then((content) => {
    waits = false
    return content
  })
  for (let turn = 0; turn < 50; turn++) await Promise.resolve()
  expect(waits).toBe(true)
  await discardBody(first.body)
  expect(await readAll((await second).body)).toEqual([1])
  expect((await limited.head('a')).size).toBe(1)
})

test('a reader may make calls inside a listing, even with a limit of 1', async () => {
  const limited = withConcurrency(await storeWith({ a: one, b: one }), 1)
  const sizes: number[] = []
  for await (const { key } of limited.list()) sizes.push((await limited.head(key)).size)
  expect(sizes).toEqual([1, 1])
  for await (const _ of limited.list()) break
  expect(await keysOf(limited.list())).toEqual(['a', 'b'])
})

test.each([0, -1, 1.5, Number.NaN])('limit %d is refused', async (limit) => {
  const store = await storeWith({})
  expect(() => withConcurrency(store, limit)).toThrow(RangeError)
})
