import { afterEach, beforeEach, expect, test } from 'vitest'
import { type Exclusively, openFollower, openReader } from '../src/index.ts'
import { History } from './support/history.ts'

let history: History
let file: string
beforeEach(async () => {
  history = new History()
  file = history.path('copy.db')
  await history.step('CREATE TABLE t(v); INSERT INTO t VALUES (1)')
})
afterEach(() => history[Symbol.dispose]())

test('F17: a change waits for who reads in this process, and has its position when they read again', async () => {
  const turn = Promise.withResolvers<void>()
  const asked = Promise.withResolvers<void>()
  const exclusively: Exclusively = async (work) => {
    asked.resolve()
    await turn.promise
    return await work()
  }
  await using follower = await openFollower({ replica: history.replica, file, poll: false, exclusively })
  const reader = openReader(file)
  try {
    const rows = reader.prepare('SELECT v FROM t').raw().iterate()
    expect(rows.next().value).toEqual([1])
    await history.step('UPDATE t SET v = 2')
    const looking = follower.look()
    await asked.promise
    expect(follower.status.pos.txid).toBe(1n)
    rows.return?.()
    turn.resolve()
    expect(await looking).toBe(true)
    expect(follower.status.pos.txid).toBe(2n)
    expect(reader.prepare('SELECT v FROM t').raw().all()).toEqual([[2]])
    expect(await follower.look()).toBe(false)
  } finally {
    reader.close()
  }
})

test('F17: a change that nobody lets go on ends with its signal, and the copy is as before', async () => {
  const asked = Promise.withResolvers<AbortSignal>()
  const exclusively: Exclusively = async (_, signal) => {
    const given = signal as AbortSignal
    asked.resolve(given)
    return await new Promise((_, reject) => given.addEventListener('abort', () => reject(given.reason)))
  }
  const follower = await openFollower({ replica: history.replica, file, poll: false, exclusively })
  await history.step('UPDATE t SET v = 2')
  const looking = expect(follower.look()).rejects.toMatchObject({ code: 'closed' })
  await asked.promise
  await follower.close()
  await looking
  const reader = openReader(file)
  expect(reader.prepare('SELECT v FROM t').raw().all()).toEqual([[1]])
  reader.close()
})
