import { expect, test } from 'vitest'
import { isStorageError, withinTime } from '../src/index.ts'

const fields = { driver: 'test', operation: 'get', key: 'a' } as const

test('what ends in time is passed on: its value, its error', async () => {
  expect(await withinTime({ limitMs: 10_000, fields }, async () => 7)).toBe(7)
  const error = new Error('refused')
  await expect(withinTime({ limitMs: 10_000, fields }, () => Promise.reject(error))).rejects.toBe(error)
})

test('a call that never ends, and does not listen, ends at the limit as a transient timeout', async () => {
  const hung = withinTime({ limitMs: 5, fields }, () => new Promise(() => {}))
  await expect(hung).rejects.toMatchObject({ code: 'timeout', transient: true, ...fields })
})

test('a call that listens is told, and what it makes of that is not believed', async () => {
  let told: unknown
  const hung = withinTime(
    { limitMs: 5, fields },
    (signal) =>
      new Promise((_, reject) => {
        signal.addEventListener('abort', () => {
          told = signal.reason
          reject(new Error('socket hang up'))
        })
      }),
  )
  const error = await hung.catch((reason: unknown) => reason)
  expect(isStorageError(error, 'timeout')).toBe(true)
  expect(told).toBe(error)
})

test('the signal of the caller ends it with its reason, before and during the call', async () => {
  const reason = new Error('enough')
  let called = false
  const early = withinTime({ limitMs: 10_000, signal: AbortSignal.abort(reason), fields }, async () => {
    called = true
  })
  await expect(early).rejects.toBe(reason)
  expect(called).toBe(false)
  const aborter = new AbortController()
  const running = withinTime({ limitMs: 10_000, signal: aborter.signal, fields }, () => new Promise(() => {}))
  aborter.abort(reason)
  await expect(running).rejects.toBe(reason)
})
