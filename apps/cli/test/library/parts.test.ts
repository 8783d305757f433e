import { expect, test } from 'vitest'
import { Outbox } from '../../src/engine/outbox.ts'
import { PendingCalls } from '../../src/library/calls.ts'
import { EventHub } from '../../src/library/event-stream.ts'
import type { ReplicationEvent } from '../../src/library/events.ts'
import type { FromEngine } from '../../src/library/messages.ts'
import { nextDelay, RestartCount } from '../../src/library/restart-count.ts'
import { fromText, type Wire } from '../../src/library/wire.ts'

const TIME = '2038-01-19T03:14:07.000Z'
const SOURCE = { time: TIME, database: '/app.db', replica: '/backup' }

function progress(pages: number): Wire<ReplicationEvent> {
  return { ...SOURCE, type: 'snapshot-progress', pages, totalPages: 1e6 }
}

function died(reason: string): ReplicationEvent {
  return { type: 'engine-died', time: new Date(TIME), reason, restartInMs: 1 }
}

test('an application that takes no events costs the engine no memory: frequent ones are left out and counted', () => {
  const sent: FromEngine[] = []
  const taken: (() => void)[] = []
  const outbox = new Outbox((message, done) => {
    sent.push(message)
    taken.push(done)
  })
  for (let i = 0; i < 10_000; i++) {
    outbox.event(progress(i))
    if (i % 1000 === 0) outbox.event({ ...SOURCE, type: 'warning', code: `w${i}`, message: 'rare' })
  }
  expect(sent.length).toBe(32)
  // An answer does not wait behind events.
  void outbox.message({ type: 'answer', id: 1, value: [] })
  expect(sent.at(-1)).toMatchObject({ type: 'answer' })
  for (let done = taken.shift(); done !== undefined; done = taken.shift()) done()
  const events = sent.flatMap((message) => (message.type === 'event' ? [message.event] : []))
  const skipped = events.flatMap((event) => (event.type === 'events-skipped' ? [event.count] : []))
  const told = events.length - skipped.length
  expect(told).toBeLessThan(300)
  expect(skipped.reduce((sum, count) => sum + count, 0) + told).toBe(10_010)
  expect(events.filter(({ type }) => type === 'warning').length).toBe(10)
  expect(events.at(-1)).toMatchObject({ pages: 9999 })
})

test('numbers of 64 bits and instants come back as they were', () => {
  const event = {
    ...SOURCE,
    type: 'lease',
    state: 'acquired',
    owner: 'host',
    epoch: '12',
    expires: TIME,
    ttlMs: 1,
  } as const satisfies Wire<ReplicationEvent>
  expect(fromText<ReplicationEvent>(event)).toMatchObject({
    epoch: 12n,
    expires: new Date(TIME),
    owner: 'host',
  })
  expect(fromText<{ txid: bigint }[]>([{ txid: 'ffffffffffffffff' }])).toEqual([{ txid: 2n ** 64n - 1n }])
})

test('a stream gives what happens from its beginning to the end, and what a slow reader has missed', async () => {
  const hub = new EventHub()
  const stream = hub.stream()
  const first = stream.next()
  hub.emit(died('0'))
  expect((await first).value).toEqual(died('0'))
  for (let i = 1; i <= 1200; i++) hub.emit(died(String(i)))
  expect((await stream.next()).value).toMatchObject({ type: 'events-skipped', count: 200 })
  expect((await stream.next()).value).toEqual(died('201'))
  hub.close()
  let left = 0
  for await (const _ of stream) left++
  expect(left).toBe(999)
  expect(await hub.stream().next()).toEqual({ done: true, value: undefined })
})

test('a stream ends with its signal', async () => {
  const abort = new AbortController()
  const waiting = new EventHub().stream(abort.signal).next()
  abort.abort(new Error('enough'))
  await expect(waiting).rejects.toThrow('enough')
})

test('restarts come ever more slowly, and a long life begins anew', () => {
  const policy = { firstMs: 100, mostMs: 1000 }
  expect([0, 1, 2, 3, 4, 99].map((n) => nextDelay(policy, n))).toEqual([100, 200, 400, 800, 1000, 1000])
  const count = new RestartCount({ failures: 2, steadyMs: 0 })
  count.died()
  count.died()
  expect(count.isTooOften).toBe(true)
  count.started()
  count.died()
  expect(count).toMatchObject({ failures: 1, isTooOften: false })
  expect(count.next()).toBe(0)
  const quick = new RestartCount({ failures: 2, steadyMs: 60_000 })
  for (let i = 0; i < 2; i++) {
    quick.started()
    quick.died()
  }
  expect(quick.isTooOften).toBe(true)
})

test('a call is there until it is answered, and says so once', async () => {
  const sizes: number[] = []
  const calls: PendingCalls = new PendingCalls(() => sizes.push(calls.size))
  const asked: number[] = []
  const on = { ask: ({ id }: { id: number }) => asked.push(id), abort: () => undefined }
  const first = calls.add('status', {}, on)
  const second = calls.add('status', {}, on)
  calls.get(asked[1]!)?.resolve('b')
  expect([...calls].map(({ id }) => id)).toEqual([asked[0]])
  calls.rejectAll(new Error('gone'))
  expect(await second).toBe('b')
  await expect(first).rejects.toThrow('gone')
  expect(sizes).toEqual([1, 0])
})
