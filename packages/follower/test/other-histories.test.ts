import { cpSync, rmSync, writeFileSync } from 'node:fs'
import { toTXID } from '@sqlstream/ltx'
import { assumeSoleWriter, Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { type FollowerOptions, openFollower } from '../src/index.ts'
import { comparable, History } from './support/history.ts'

let history: History
let file: string
beforeEach(async () => {
  history = new History()
  file = history.path('copy.db')
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  for (let i = 2; i <= 6; i++) await history.step('INSERT INTO t(v) SELECT randomblob(3000)')
})
afterEach(() => history[Symbol.dispose]())

async function follow(options: Partial<FollowerOptions> = {}): Promise<void> {
  await using follower = await openFollower({ replica: history.replica, file, poll: false, ...options })
  await follower.catchUp()
}

/** Goes back to an earlier state and writes other transactions from there. */
async function rewriteFrom(txid: number, steps: number): Promise<void> {
  await history.removeCaptures(4, 5, 6)
  history.db.exec("DELETE FROM t; INSERT INTO t(v) VALUES ('other')")
  let from = txid
  for (let i = 1; i <= steps; i++) {
    history.db.exec("INSERT INTO t(v) VALUES ('other')")
    await history.put(history.record(), { from, as: txid + i })
    from = history.txid
  }
}

describe('a replica with another history', () => {
  test('F10: files that were removed are no reason to wait: rewound', async () => {
    await follow()
    await history.removeCaptures(5, 6)
    await expect(follow()).rejects.toMatchObject({ code: 'rewound' })
    await follow({ onDiverged: 'rebase' })
    expect(comparable(file, history.images[4]!).equals(history.images[4]!)).toBe(true)
  })

  test.each([
    { steps: 3, why: 'another state under the TXID of the copy' },
    { steps: 5, why: 'and transactions behind it' },
  ])('F8, F10: rewritten with $why: diverged', async ({ steps }) => {
    await follow()
    await rewriteFrom(3, steps)
    await expect(follow()).rejects.toMatchObject({ code: 'diverged' })
    await follow({ onDiverged: 'rebase' })
    const last = history.images.at(-1)!
    expect(comparable(file, last).equals(last)).toBe(true)
  })

  test('F8: rewritten while it is followed: the next capture is of another state', async () => {
    await using follower = await openFollower({
      replica: history.replica,
      file,
      poll: { everyMs: 5, listEveryMs: 60_000 },
    })
    await follower.waitFor(toTXID(6n))
    await rewriteFrom(3, 5)
    await expect(follower.ended).rejects.toMatchObject({ code: expect.stringMatching(/diverged|rewound/) })
    await expect(follower.waitFor(toTXID(99n))).rejects.toMatchObject({ name: 'FollowerError' })
  })

  test('F10: of another database: refused, or taken over', async () => {
    const identity = { databaseId: 'one', pageSize: 4096, created: '2026-01-01T00:00:00Z' }
    await history.replica.writer(assumeSoleWriter('test')).createIdentity(identity)
    await follow()
    const other = new Replica(new FileStore(history.path('other')))
    cpSync(history.path('replica'), history.path('other'), { recursive: true })
    rmSync(history.path('other/.sqlstream'), { recursive: true })
    await other.writer(assumeSoleWriter('test')).createIdentity({ ...identity, databaseId: 'two' })
    await expect(follow({ replica: other })).rejects.toMatchObject({ code: 'wrong-replica' })
    await follow({ replica: other, onDiverged: 'rebase' })
    await follow({ replica: other })
  })
})

describe('a file that is not what was applied', () => {
  test('somebody wrote to it: told at the start', async () => {
    await follow()
    const db = new Database(file)
    db.exec('DELETE FROM t')
    db.close()
    await expect(follow()).rejects.toMatchObject({ code: 'local-changed' })
    await follow({ replace: true })
  })

  test('F6: somebody wrote to it while it was followed: nothing is written over it', async () => {
    await using follower = await openFollower({ replica: history.replica, file, poll: false })
    const db = new Database(file)
    db.exec("INSERT INTO t(v) VALUES ('mine')")
    await history.step("INSERT INTO t(v) VALUES ('next')")
    await expect(follower.catchUp()).rejects.toMatchObject({ name: 'FollowerError' })
    expect(db.prepare("SELECT count(*) FROM t WHERE v = 'mine'").pluck().get()).toBe(1)
    db.close()
  })

  test('a file that was there before is not touched', async () => {
    writeFileSync(file, 'precious')
    await expect(follow()).rejects.toMatchObject({ code: 'target-exists' })
    await follow({ replace: true })
  })

  test('a second follower is refused', async () => {
    await using _ = await openFollower({ replica: history.replica, file, poll: false })
    await expect(follow()).rejects.toMatchObject({ code: 'locked' })
  })

  test('without a replica nothing is left behind', async () => {
    const nowhere = new Replica(new FileStore(history.path('nowhere')))
    const target = history.path('none.db')
    await expect(follow({ replica: nowhere, file: target })).rejects.toMatchObject({ code: 'no-snapshot' })
    await follow({ file: target })
  })
})
