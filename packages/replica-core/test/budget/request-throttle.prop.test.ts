import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { RequestThrottle, type ThrottleClock } from '../../src/budget/request-throttle.ts'

/** A clock that moves from one timer to the next when it is told to. */
class FakeClock implements ThrottleClock {
  #now = 0
  readonly #timers: { at: number; call: () => void }[] = []

  now(): number {
    return this.#now
  }

  after(milliseconds: number, call: () => void): void {
    this.#timers.push({ at: this.#now + milliseconds, call })
  }

  async run(until: number): Promise<void> {
    for (;;) {
      await settle()
      this.#timers.sort((a, b) => a.at - b.at)
      const next = this.#timers[0]
      if (next === undefined || next.at > until) break
      this.#timers.shift()
      this.#now = next.at
      next.call()
    }
    this.#now = Math.max(this.#now, until)
  }
}

/** Lets everything run that waits for nothing. */
function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve))
}

interface Entry {
  readonly database: string
  readonly at: number
}

function enterAll(throttle: RequestThrottle, clock: FakeClock, databases: readonly string[]): Entry[] {
  const entered: Entry[] = []
  for (const database of databases)
    void throttle.enter(database).then(() => entered.push({ database, at: clock.now() }))
  return entered
}

describe('a throttle of requests', () => {
  it('B2: lets no more than the rate in, over any second, but for a second of rest', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 50 }),
        fc.integer({ min: 1, max: 200 }),
        async (rate, count) => {
          const clock = new FakeClock()
          const throttle = new RequestThrottle(rate, clock)
          const entered = enterAll(
            throttle,
            clock,
            Array.from({ length: count }, (_, i) => `d${i % 3}`),
          )
          const needed = Math.ceil(Math.max(0, count - rate) / rate) * 1000 + 2000
          await clock.run(needed)
          expect(entered.length).toBe(count)
          for (const { at } of entered) {
            const within = entered.filter((each) => each.at >= at && each.at < at + 1000).length
            expect(within).toBeLessThanOrEqual(2 * rate + 1)
          }
          // And no slower than the rate.
          expect(entered.at(-1)!.at).toBeLessThanOrEqual(needed)
        },
      ),
      { numRuns: 30 },
    )
  })

  it('B2: one database with a thousand requests delays another by one', async () => {
    const clock = new FakeClock()
    const throttle = new RequestThrottle(10, clock)
    const greedy = enterAll(throttle, clock, Array(1000).fill('greedy'))
    await clock.run(500)
    const others = enterAll(throttle, clock, ['a', 'b', 'c'])
    await clock.run(1000)
    expect(others.map(({ database }) => database)).toEqual(['a', 'b', 'c'])
    expect(greedy.length).toBeLessThan(25)
  })

  it('B2: what must not wait does not, and others wait longer for it', async () => {
    const clock = new FakeClock()
    const throttle = new RequestThrottle(10, clock)
    enterAll(throttle, clock, Array(10).fill('a'))
    for (let i = 0; i < 10; i++) throttle.takeNow()
    const entered = enterAll(throttle, clock, ['b'])
    await clock.run(1000)
    expect(entered).toEqual([])
    await clock.run(1200)
    expect(entered).toHaveLength(1)
  })

  it('who gives up waiting takes nobody else his turn', async () => {
    const clock = new FakeClock()
    const throttle = new RequestThrottle(1, clock)
    enterAll(throttle, clock, ['a'])
    const abort = new AbortController()
    const gone = throttle.enter('b', abort.signal)
    const stays = enterAll(throttle, clock, ['b', 'c'])
    abort.abort(new Error('not wanted'))
    await expect(gone).rejects.toThrow('not wanted')
    await clock.run(2100)
    expect(stays.map(({ database }) => database).sort()).toEqual(['b', 'c'])
    await expect(throttle.enter('d', AbortSignal.abort(new Error('no')))).rejects.toThrow('no')
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('%s is no rate', (rate) => {
    expect(() => new RequestThrottle(rate)).toThrow(RangeError)
  })
})
