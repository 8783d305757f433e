import { cpSync, existsSync, readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openFollower } from '../src/index.ts'
import { History } from './support/history.ts'
import { runFollower } from './support/run-follower.ts'

let history: History
beforeAll(async () => {
  history = new History()
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  await history.step('INSERT INTO t(v) SELECT randomblob(3000)')
  runFollower({ store: history.path('replica'), file: history.path('origin/copy.db') })
})
afterAll(() => history[Symbol.dispose]())

const FAILPOINTS = ['prepared', 'journal-named', 'synced', 'committed'] as const

test.each(FAILPOINTS)(
  'F13, P28: killed at %s while it becomes a database, a copy is one or the other, and the next try ends it',
  (failpoint) => {
    const folder = history.path(failpoint)
    cpSync(history.path('origin'), folder, { recursive: true })
    const options = { store: history.path('replica'), file: `${folder}/copy.db`, promote: true }
    expect(runFollower({ ...options, dieAt: { failpoint, passing: 1 } })).toBe(false)
    const isCommitted = failpoint === 'committed'
    if (isCommitted) expect(() => runFollower(options)).toThrow(/promoted/)
    else expect(runFollower(options)).toBe(true)
    // Byte for byte what its writer had, and noted so that replicate goes on from it.
    expect(readFileSync(options.file).equals(history.images[2]!)).toBe(true)
    expect(existsSync(`${folder}/.copy.db-sqlstream/restored.json`)).toBe(true)
    const db = new Database(options.file)
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    db.exec('INSERT INTO t(v) VALUES (1)')
    db.close()
  },
)

test('a reader that has the copy open goes over to the log of the database', async () => {
  cpSync(history.path('origin'), history.path('read'), { recursive: true })
  const file = history.path('read/copy.db')
  await using follower = await openFollower({ replica: history.replica, file, poll: false })
  const reader = new Database(file, { readonly: true })
  const count = reader.prepare('SELECT count(*) FROM t').pluck()
  expect(count.get()).toBe(1)
  await follower.promote(async () => {})
  const writer = new Database(file)
  writer.exec('INSERT INTO t(v) VALUES (1)')
  expect(count.get()).toBe(2)
  reader.close()
  writer.close()
  await expect(follower.catchUp()).rejects.toMatchObject({ code: 'closed' })
  await expect(openFollower({ replica: history.replica, file })).rejects.toMatchObject({
    code: 'target-exists',
  })
})

test('what cannot be adopted stays a copy', async () => {
  cpSync(history.path('origin'), history.path('kept'), { recursive: true })
  const file = history.path('kept/copy.db')
  await using follower = await openFollower({ replica: history.replica, file, poll: false })
  const refusal = new Error('no room')
  await expect(follower.promote(() => Promise.reject(refusal))).rejects.toBe(refusal)
  expect(await follower.catchUp()).toEqual(follower.status.pos)
  expect(readFileSync(file)[18]).toBe(1)
})
