import fc from 'fast-check'
import { expect, it } from 'vitest'
import { ByteSlots } from '../../src/budget/byte-slots.ts'

it('B1: never holds more than its limit, and serves all in turn', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 100 }),
      fc.array(fc.integer({ min: 0, max: 150 }), { maxLength: 30 }),
      async (limit, wishes) => {
        const slots = new ByteSlots(limit)
        const order: number[] = []
        let held = 0
        await Promise.all(
          wishes.map((bytes, i) =>
            slots.run(bytes, async () => {
              order.push(i)
              held += Math.min(bytes, limit)
              expect(held).toBeLessThanOrEqual(limit)
              await new Promise((resolve) => setImmediate(resolve))
              held -= Math.min(bytes, limit)
            }),
          ),
        )
        expect(order).toEqual(wishes.map((_, i) => i))
      },
    ),
    { numRuns: 50 },
  )
})

it('B1: one that gives up waiting lets those behind it in; one that fails gives its bytes back', async () => {
  const slots = new ByteSlots(10)
  let open: () => void = () => undefined
  const first = slots.run(
    6,
    () =>
      new Promise<void>((resolve) => {
        open = resolve
      }),
  )
  const abort = new AbortController()
  const large = slots.run(10, async () => 'large', abort.signal)
  const small = slots.run(4, async () => 'small')
  abort.abort(new Error('not wanted'))
  await expect(large).rejects.toThrow('not wanted')
  expect(await small).toBe('small')
  open()
  await first
  await expect(slots.run(10, () => Promise.reject(new Error('failed')))).rejects.toThrow('failed')
  expect(await slots.run(10, async () => 'again')).toBe('again')
  expect(() => new ByteSlots(0)).toThrow(RangeError)
})
