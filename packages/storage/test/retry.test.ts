import { expect, test } from 'vitest'
import { retryTransient, StorageError, type StorageErrorCode } from '../src/index.ts'

function failure(code: StorageErrorCode): StorageError {
  return new StorageError(code, { code, driver: 'test', operation: 'get' })
}

/** Fails with these errors, then succeeds; counts calls and pauses. */
function failing(...errors: unknown[]) {
  const seen = { calls: 0, pauses: [] as number[] }
  const call = async (): Promise<string> => {
    seen.calls += 1
    const error = errors[seen.calls - 1]
    if (error !== undefined) throw error
    return 'done'
  }
  const pause = async (n: number): Promise<void> => {
    seen.pauses.push(n)
  }
  return { seen, call, pause }
}

test('what may pass is tried again, with a pause before each try', async () => {
  const { seen, call, pause } = failing(failure('unavailable'), failure('rate-limited'), failure('timeout'))
  expect(await retryTransient(call, { pause })).toBe('done')
  expect(seen).toEqual({ calls: 4, pauses: [2, 3, 4] })
})

test.each([
  failure('not-found'),
  failure('permission-denied'),
  failure('precondition-failed'),
  new Error('a defect'),
])('what does not pass ends it at once: %s', async (error) => {
  const { seen, call, pause } = failing(error)
  await expect(retryTransient(call, { pause })).rejects.toBe(error)
  expect(seen.calls).toBe(1)
})

test('after the last try its error is told', async () => {
  const last = failure('unavailable')
  const { seen, call, pause } = failing(failure('timeout'), last)
  await expect(retryTransient(call, { pause, attempts: 2 })).rejects.toBe(last)
  expect(seen).toEqual({ calls: 2, pauses: [2] })
})

test('an abort ends the real pause with its reason', async () => {
  const aborter = new AbortController()
  const call = async (): Promise<never> => {
    setTimeout(() => aborter.abort('enough'), 0)
    throw failure('unavailable')
  }
  await expect(retryTransient(call, { attempts: 1000, signal: aborter.signal })).rejects.toBe('enough')
})
