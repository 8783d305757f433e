import { Replica } from '@sqlstream/replica'
import { MemoryStore } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { Budgets } from '../../src/budget/budgets.ts'
import { estimateRequests, isOverBudget, type RequestEstimate } from '../../src/budget/plan-requests.ts'
import { RequestMeter } from '../../src/budget/request-meter.ts'

const HOUR = 3_600_000
const DAY = 24 * HOUR

describe('a budget of requests', () => {
  it.each([
    [{}, DAY, undefined],
    [{ put: 1000 }, HOUR - 1, undefined],
    [{ put: 1000, get: 10 }, DAY, { perMonth: 30_300, operation: 'put', share: 1000 / 1010 }],
    [{ list: 5, get: 15 }, HOUR, { perMonth: 14_400, operation: 'get', share: 0.75 }],
  ] as const)('B3: %j in %i ms make a month of %j', (counts, milliseconds, expected) => {
    expect(estimateRequests({ counts, milliseconds })).toEqual(expected)
  })

  it('B3: is told once a day, and at once when it is twice as bad', () => {
    const of = (perMonth: number): RequestEstimate => ({ perMonth, operation: 'put', share: 1 })
    const last = { at: 0, perMonth: 150 }
    expect(isOverBudget(of(100), 100, 0, undefined)).toBe(false)
    expect(isOverBudget(of(101), 100, 0, undefined)).toBe(true)
    expect(isOverBudget(of(200), 100, DAY - 1, last)).toBe(false)
    expect(isOverBudget(of(300), 100, 1, last)).toBe(true)
    expect(isOverBudget(of(101), 100, DAY, last)).toBe(true)
    expect(isOverBudget(of(99), 100, DAY, last)).toBe(false)
  })

  it('B3: is estimated from the last day, so a start is forgotten', () => {
    let now = 0
    const told: RequestEstimate[] = []
    const meter = new RequestMeter(
      40_000,
      (estimate) => told.push(estimate),
      () => now,
    )
    // Listings of ten thousand databases at the start...
    for (let i = 0; i < 10_000; i++) meter.count('list')
    expect(meter.estimate).toBeUndefined()
    // ...and then one put a minute: 43,200 a month.
    for (let minute = 1; minute <= 48 * 60; minute++) {
      now = minute * 60_000
      meter.count('put')
      if (minute === 60) expect(meter.estimate).toMatchObject({ operation: 'list' })
    }
    expect(meter.estimate).toMatchObject({ operation: 'put', share: 1 })
    expect(meter.estimate!.perMonth).toBeGreaterThan(42_000)
    expect(meter.estimate!.perMonth).toBeLessThan(45_000)
    expect(told.map(({ operation }) => operation)).toEqual(['list', 'put'])
  })

  it('B2, B3: counts every call of a replica, and lets those of its lease pass', async () => {
    const store = new MemoryStore()
    const plain = new Replica(store)
    expect(new Budgets().replica(plain, 'a')).toBe(plain)
    const budgets = new Budgets({ maxRequestsPerSecond: 1, monthlyRequests: 1 })
    const replica = budgets.replica(plain, 'a')
    expect(replica.layout).toBe(plain.layout)
    const bytes = new Uint8Array(3)
    await replica.store.put('ltx/0/x', bytes)
    // The bucket is empty now; a lease is renewed all the same.
    const started = performance.now()
    for (let i = 0; i < 5; i++) await replica.store.put('.sqlstream/lease.json', bytes)
    expect((await replica.store.head('.sqlstream/lease.json')).size).toBe(3)
    // Five seconds if they had to wait for it.
    expect(performance.now() - started).toBeLessThan(4000)
    const late = AbortSignal.timeout(50)
    await expect(replica.store.head('ltx/0/x', { signal: late })).rejects.toThrow()
    await expect(replica.store.delete(['ltx/0/x'], { signal: late })).rejects.toThrow()
    await expect(replica.store.get('ltx/0/x', { signal: late })).rejects.toThrow()
    await expect(replica.store.list({ signal: late })[Symbol.asyncIterator]().next()).rejects.toThrow()
    expect((await store.head('ltx/0/x')).size).toBe(3)
  })
})
