import { Replica } from '@sqlstream/replica'
import { withObserver } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { type FollowerEvent, openFollower } from '../src/index.ts'
import { FakeClock } from './support/fake-clock.ts'
import { History } from './support/history.ts'

/** A follower with a clock of its own, and the requests that it made since it was asked last. */
async function observed(history: History, options: { maxLagMs?: number } = {}) {
  const clock = new FakeClock()
  const calls: string[] = []
  let broken: Error | undefined
  const store = withObserver(history.store, ({ operation, key }) =>
    calls.push(`${operation} ${key ?? ''}`.trim()),
  )
  const failing = new Proxy(store, {
    get(target, property) {
      if (broken && (property === 'get' || property === 'list')) throw broken
      const value = Reflect.get(target, property)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })
  const events: FollowerEvent[] = []
  const follower = await openFollower({
    replica: new Replica(failing),
    file: history.path('copy.db'),
    poll: { everyMs: 500, listEveryMs: 30_000 },
    clock,
    onEvent: (event) => events.push(event),
    ...options,
  })
  const sleepers = options.maxLagMs === undefined ? 1 : 2
  await clock.quiet(sleepers)
  return {
    follower,
    clock,
    events,
    breakStore: (error?: Error) => {
      broken = error
    },
    /** Lets time pass, look by look. */
    async pass(milliseconds: number): Promise<string[]> {
      calls.length = 0
      for (let left = milliseconds; left > 0; left -= 500) {
        clock.advance(500)
        await clock.quiet(sleepers)
      }
      return [...calls]
    },
  }
}

const BEGIN = 'CREATE TABLE t(id INTEGER PRIMARY KEY, v)'

test('F11: a copy that is at the head costs one request a look, and a change one more', async () => {
  using history = new History()
  await history.step(BEGIN)
  const { follower, pass } = await observed(history)
  await using _ = follower
  const key = (txid: number) =>
    `get ltx/0/${txid.toString(16).padStart(16, '0')}-${txid.toString(16).padStart(16, '0')}.ltx`
  expect(await pass(1000)).toEqual([key(2), key(2)])
  await history.step('INSERT INTO t(v) VALUES (1)')
  expect(await pass(500)).toEqual([key(2), key(3)])
  expect(follower.status.pos.txid).toBe(2n)
  for (let i = 0; i < 3; i++) await history.step('INSERT INTO t(v) VALUES (1)')
  expect(await pass(500)).toEqual([key(3), key(4), key(5), key(6)])
  expect(follower.status.pos.txid).toBe(5n)
})

test('F11: now and then the newest captures are listed, and everything more seldom', async () => {
  using history = new History()
  await history.step(BEGIN)
  const { follower, pass } = await observed(history)
  await using _ = follower
  const lists = (await pass(320_000)).filter((call) => call.startsWith('list'))
  expect(lists.length).toBeGreaterThanOrEqual(10)
  expect(lists.length).toBeLessThanOrEqual(12)
})

test('F11: files that hold several transactions are found by a listing, and by one each look while they go on', async () => {
  using history = new History()
  await history.step(BEGIN)
  const { follower, pass } = await observed(history)
  await using _ = follower
  for (let i = 0; i < 3; i++) await history.step('INSERT INTO t(v) VALUES (1)')
  await history.merge(0, 2, 4)
  await history.removeCaptures(2, 3, 4)
  await pass(30_500)
  expect(follower.status.pos.txid).toBe(4n)
  for (let i = 0; i < 3; i++) await history.step('INSERT INTO t(v) VALUES (1)')
  await history.merge(0, 5, 7)
  await history.removeCaptures(5, 6, 7)
  await pass(1500)
  expect(follower.status.pos.txid).toBe(7n)
})

test('F12: it says when the copy may be old, and when it is new again', async () => {
  using history = new History()
  await history.step(BEGIN)
  const { follower, pass, events, breakStore } = await observed(history, { maxLagMs: 5000 })
  await using _ = follower
  await pass(10_000)
  expect(follower.status.isStale).toBe(false)
  breakStore(new Error('the store is away'))
  await pass(10_000)
  expect(follower.status.isStale).toBe(true)
  breakStore()
  await pass(20_000)
  expect(follower.status.isStale).toBe(false)
  const told = events.map(({ type }) => type).filter((type) => /stale|fresh|failed/.test(type))
  expect(told.filter((type) => type !== 'failed')).toEqual(['stale', 'fresh'])
  expect(told).toContain('failed')
})
