import { toTXID } from '@sqlstream/ltx'
import { expect, test } from 'vitest'
import { TXIDWaiters } from '../src/index.ts'

/** What becomes of each, by name. */
function told(waits: Readonly<Record<string, Promise<void>>>): Record<string, string> {
  const ends: Record<string, string> = {}
  for (const [name, wait] of Object.entries(waits)) {
    wait.then(
      () => {
        ends[name] = 'reached'
      },
      (error: Error) => {
        ends[name] = error.message
      },
    )
  }
  return ends
}

test('each learns of its own transaction, of the end, or of its signal, once', async () => {
  const waiters = new TXIDWaiters()
  const impatient = new AbortController()
  const ends = told({
    early: waiters.wait(toTXID(2), undefined),
    same: waiters.wait(toTXID(3), undefined),
    late: waiters.wait(toTXID(5), undefined),
    impatient: waiters.wait(toTXID(4), impatient.signal),
    never: waiters.wait(toTXID(1), AbortSignal.abort(new Error('not begun'))),
  })
  waiters.reached(toTXID(3))
  impatient.abort(new Error('too slow'))
  await new Promise(setImmediate)
  expect(ends).toEqual({ early: 'reached', same: 'reached', impatient: 'too slow', never: 'not begun' })
  waiters.reached(toTXID(4))
  waiters.end(new Error('over'))
  await new Promise(setImmediate)
  expect(ends).toEqual({
    early: 'reached',
    same: 'reached',
    impatient: 'too slow',
    never: 'not begun',
    late: 'over',
  })
})
