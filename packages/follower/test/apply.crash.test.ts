import { cpSync, existsSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { FAILPOINTS, type Failpoint } from '../src/index.ts'
import { comparable, History } from './support/history.ts'
import { runFollower } from './support/run-follower.ts'

/** Where the change is made real. */
const COMMITTED: readonly Failpoint[] = ['committed', 'unlocked']

/** What is applied when the follower dies: SQL, by kind. */
const STEPS = {
  update: 'UPDATE t SET v = randomblob(900) WHERE id % 3 = 0',
  growth: "INSERT INTO t(v) SELECT randomblob(3000) FROM t LIMIT 40; INSERT INTO t(v) VALUES ('new')",
  delete: 'DELETE FROM t WHERE id % 2 = 0',
  shrink: 'DELETE FROM t WHERE id > 10; VACUUM',
  schema: 'CREATE TABLE u AS SELECT * FROM t; CREATE INDEX u_v ON u(v); ALTER TABLE t ADD COLUMN w',
} as const

let history: History
beforeAll(async () => {
  history = new History()
  const rows = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)'
  await history.step(
    `CREATE TABLE t(id INTEGER PRIMARY KEY, v); ${rows} INSERT INTO t(v) SELECT randomblob(700) FROM n`,
  )
  expect(runFollower({ store: history.path('replica'), file: history.path('origin/copy.db') })).toBe(true)
})
afterAll(() => history[Symbol.dispose]())

/** A copy of the copy, with its notes, as it was before the step. */
function copyOf(from: string, name: string): string {
  cpSync(history.path(from), history.path(name), { recursive: true })
  return history.path(name)
}

describe.each(Object.entries(STEPS))('%s', (kind, sql) => {
  const before = `before-${kind}`
  let txid: number
  beforeAll(async () => {
    copyOf('origin', before)
    runFollower({ store: history.path('replica'), file: history.path(`${before}/copy.db`) })
    txid = history.txid
    await history.step(sql)
  })

  // Every step where the file changes its size, and the three kinds of state elsewhere.
  const failpoints: readonly Failpoint[] =
    kind === 'growth' || kind === 'shrink' ? FAILPOINTS : ['half-written', 'synced', 'committed']

  test.each(failpoints)(
    'F2, F3, T15, T41: killed at %s, the copy is as before or as after, and goes on',
    (failpoint) => {
      const folder = copyOf(before, `${kind}-${failpoint}`)
      const file = `${folder}/copy.db`
      const options = { store: history.path('replica'), file }
      expect(runFollower({ ...options, dieAt: { failpoint, passing: 1 } })).toBe(false)

      // SQLite itself, which knows nothing of us, recovers it.
      const isInForce = existsSync(`${file}-journal`)
      cpSync(folder, `${folder}-seen`, { recursive: true })
      const db = new Database(`${folder}-seen/copy.db`)
      expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
      db.close()
      const state = COMMITTED.includes(failpoint) ? txid + 1 : txid
      const image = history.images[state] as Buffer
      expect(comparable(`${folder}-seen/copy.db`, image).equals(image)).toBe(true)
      expect(isInForce).toBe(!COMMITTED.includes(failpoint) && !['prepared', 'locked'].includes(failpoint))

      // And so does the next follower, which goes on from there.
      expect(runFollower(options)).toBe(true)
      const after = history.images[txid + 1] as Buffer
      expect(comparable(file, after).equals(after)).toBe(true)
    },
  )
})
