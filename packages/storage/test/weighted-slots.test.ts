import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Slots } from '../src/index.ts'

it('never holds more than its limit, and serves all in turn', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 30 }),
      async (limit, wishes) => {
        const slots = new Slots(limit)
        const order: number[] = []
        let held = 0
        await Promise.all(
          wishes.map((bytes, i) =>
            slots.run(
              async () => {
                order.push(i)
                held += Math.min(bytes, limit)
                expect(held).toBeLessThanOrEqual(limit)
                await new Promise((resolve) => setImmediate(resolve))
                held -= Math.min(bytes, limit)
              },
              { weight: bytes },
            ),
          ),
        )
        expect(order).toEqual(wishes.map((_, i) => i))
      },
    ),
    { numRuns: 50 },
  )
})

it('one that gives up waiting lets those behind it in; one that fails gives its bytes back', async () => {
  const slots = new Slots(10)
  let open: () => void = () => undefined
  const first = slots.run(
    () =>
      new Promise<void>((resolve) => {
        open = resolve
      }),
    { weight: 6 },
  )
  const abort = new AbortController()
  const large = slots.run(async () => 'large', { weight: 10, signal: abort.signal })
  const small = slots.run(async () => 'small', { weight: 4 })
  abort.abort(new Error('not wanted'))
  await expect(large).rejects.toThrow('not wanted')
  expect(await small).toBe('small')
  open()
  await first
  await expect(slots.run(() => Promise.reject(new Error('failed')), { weight: 10 })).rejects.toThrow('failed')
  expect(await slots.run(async () => 'again', { weight: 10 })).toBe('again')
  expect(() => new Slots(0)).toThrow(RangeError)
})
