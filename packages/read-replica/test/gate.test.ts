import { expect, test } from 'vitest'
import { Gate } from '../src/hydration/gate.ts'

test('H2: a change waits for readers, later readers wait for it, and one that takes long sends them elsewhere', {
  timeout: 10_000,
}, async () => {
  let held = 0
  const gate = new Gate(0, () => held++)
  const log: string[] = []
  expect(await gate.enter(undefined)).toBe(true)
  const changing = gate.exclusively(async () => log.push('changed'), undefined)
  // It has taken its turn by then.
  await new Promise((resolve) => setImmediate(resolve))
  expect(await gate.enter(undefined)).toBe(false)
  expect(held).toBe(1)
  expect(log).toEqual([])
  gate.join()
  gate.leave()
  expect(log).toEqual([])
  gate.leave()
  await changing
  expect(log).toEqual(['changed'])
  expect(await gate.enter(undefined)).toBe(true)
  gate.leave()
})

test('H2: changes come one after the other, and one that is given up lets the others go on', {
  timeout: 10_000,
}, async () => {
  const gate = new Gate(60_000, () => undefined)
  const log: number[] = []
  const first = Promise.withResolvers<void>()
  const works = [
    gate.exclusively(async () => {
      await first.promise
      log.push(1)
    }, undefined),
    gate.exclusively(async () => void log.push(2), AbortSignal.abort(new Error('given up'))),
    gate.exclusively(async () => void log.push(3), undefined),
  ]
  await expect(works[1]).rejects.toThrow('given up')
  first.resolve()
  await Promise.all([works[0], works[2]])
  expect(log).toEqual([1, 3])
})
