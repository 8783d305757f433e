import { execFile } from 'node:child_process'
import fs, { symlinkSync } from 'node:fs'
import { syncBuiltinESMExports } from 'node:module'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { openFollower } from '../src/index.ts'
import { comparable, History } from './support/history.ts'

let history: History
let file: string
beforeEach(async () => {
  history = new History()
  file = history.path('copy.db')
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  await history.step(
    'INSERT INTO t(v) SELECT randomblob(3000) FROM (VALUES (1),(2),(3),(4),(5),(6),(7),(8),(9))',
  )
})
afterEach(() => history[Symbol.dispose]())

/** Makes the n-th call of one of these functions fail, as a full or broken disk does. */
async function failing(
  name: 'writeSync' | 'fsyncSync' | 'ftruncateSync' | 'renameSync' | 'rmSync',
  n: number,
  work: () => Promise<unknown>,
) {
  const original = fs[name] as (...args: unknown[]) => unknown
  let calls = 0
  Object.assign(fs, {
    [name]: (...args: unknown[]): unknown => {
      if (++calls === n) throw Object.assign(new Error(`${name} failed`), { code: 'ENOSPC' })
      return original(...args)
    },
  })
  syncBuiltinESMExports()
  try {
    await work()
    return calls < n
  } finally {
    Object.assign(fs, { [name]: original })
    syncBuiltinESMExports()
  }
}

test.each(['writeSync', 'fsyncSync', 'ftruncateSync', 'renameSync', 'rmSync'] as const)(
  'F4, T15: whichever %s fails, the copy is as before, readers go on, and the next try succeeds',
  async (name) => {
    await using follower = await openFollower({ replica: history.replica, file, poll: false })
    const reader = new Database(file, { readonly: true })
    const check = reader.prepare('SELECT count(*), sum(length(v)) FROM t').raw()
    for (let n = 1, done = false; !done; n++) {
      const sql =
        n % 2
          ? 'INSERT INTO t(v) SELECT randomblob(3000) FROM t LIMIT 5'
          : 'DELETE FROM t WHERE id > 6; VACUUM'
      const before = check.get()
      await history.step(sql)
      const outcome = await failing(name, n, () => follower.catchUp()).catch((error: unknown) => error)
      done = outcome === true
      if (!done && outcome !== false) {
        expect(outcome).toMatchObject({ code: 'ENOSPC' })
        expect(check.get()).toEqual(before)
        expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
        await follower.catchUp()
      }
      const image = history.images.at(-1)!
      expect(comparable(file, image).equals(image), `call ${n}`).toBe(true)
      expect(check.get()).toEqual(history.db.prepare('SELECT count(*), sum(length(v)) FROM t').raw().get())
    }
    reader.close()
  },
)

test('a reader that takes long holds the copy back, and no other reader', async () => {
  await using follower = await openFollower({ replica: history.replica, file, poll: false })
  const slow = new Database(file, { readonly: true })
  slow.exec('BEGIN; SELECT count(*) FROM t')
  slow.prepare('SELECT count(*) FROM t').get()
  await history.step('DELETE FROM t')
  const applied = follower.catchUp()
  // The others get their turn, in a process of their own, while the follower waits here.
  const script = new URL('./support/quick-reader-main.ts', import.meta.url).pathname
  for (let i = 0; i < 3; i++) {
    const { stdout } = await promisify(execFile)(process.execPath, [script, file])
    expect(stdout).toBe('9\n'.repeat(10))
  }
  slow.exec('COMMIT')
  await applied
  expect(slow.prepare('SELECT count(*) FROM t').pluck().get()).toBe(0)
  slow.close()
})

test('an end does not wait for a reader', async () => {
  const follower = await openFollower({ replica: history.replica, file, poll: { everyMs: 1 } })
  const slow = new Database(file, { readonly: true })
  slow.exec('BEGIN')
  slow.prepare('SELECT count(*) FROM t').get()
  const { maxTXID } = await history.step('DELETE FROM t')
  const waiting = follower.waitFor(maxTXID)
  await Promise.all([expect(waiting).rejects.toMatchObject({ code: 'closed' }), follower.close()])
  slow.close()
  await using again = await openFollower({ replica: history.replica, file, poll: false })
  await again.catchUp()
  expect(again.status.pos.txid).toBe(maxTXID)
})

test('a link to a copy is the copy', async () => {
  await (await openFollower({ replica: history.replica, file, poll: false })).close()
  const link = history.path('link.db')
  symlinkSync(file, link)
  await history.step('DELETE FROM t WHERE id < 4')
  await using follower = await openFollower({ replica: history.replica, file: link, poll: false })
  await follower.catchUp()
  const image = history.images.at(-1)!
  expect(comparable(file, image).equals(image)).toBe(true)
})

test.each([512, 1024, 65536] as const)('pages of %i bytes', async (pageSize) => {
  using other = new History({ pageSize })
  await other.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  const copy = other.path('copy.db')
  await using follower = await openFollower({ replica: other.replica, file: copy, poll: false })
  for (const sql of [
    'INSERT INTO t(v) VALUES (randomblob(300000))',
    'INSERT INTO t(v) VALUES (1)',
    'DELETE FROM t; VACUUM',
  ]) {
    await other.step(sql)
    await follower.catchUp()
    const image = other.images.at(-1)!
    expect(comparable(copy, image).equals(image)).toBe(true)
  }
})

test('F2, F3: a power cut that takes the end of a change back leaves the state before, and what is known of it', async () => {
  let kept: Buffer | undefined
  await using follower = await openFollower({
    replica: history.replica,
    file,
    poll: false,
    failpoint: (name) => {
      if (name === 'synced') kept = fs.readFileSync(`${file}-journal`)
    },
  })
  await history.step('DELETE FROM t WHERE id > 5; VACUUM')
  await follower.catchUp()
  await follower.close()
  const [before, after] = history.images.slice(-2) as [Buffer, Buffer]
  expect(comparable(file, after).equals(after)).toBe(true)

  // The removal of the journal had not reached the disk.
  fs.writeFileSync(`${file}-journal`, kept!)
  const again = await openFollower({ replica: history.replica, file, poll: false })
  expect(again.status.pos.txid).toBe(BigInt(history.txid - 1))
  expect(comparable(file, before).equals(before)).toBe(true)
  await again.catchUp()
  expect(comparable(file, after).equals(after)).toBe(true)
  await again.close()
})

test('F3: the end of a change is durable before anything is noted of the next one', async () => {
  const calls: string[] = []
  const originals = { rmSync: fs.rmSync, fsyncSync: fs.fsyncSync, fdatasyncSync: fs.fdatasyncSync }
  await using follower = await openFollower({ replica: history.replica, file, poll: false })
  for (const sql of ['DELETE FROM t WHERE id > 5', 'DELETE FROM t WHERE id > 4']) await history.step(sql)
  for (const [name, original] of Object.entries(originals)) {
    const noted = (...args: unknown[]): unknown => {
      calls.push(name)
      return (original as (...args: unknown[]) => unknown)(...args)
    }
    Object.assign(fs, { [name]: noted })
  }
  syncBuiltinESMExports()
  try {
    while (follower.status.pos.txid < BigInt(history.txid)) await follower.catchUp()
  } finally {
    Object.assign(fs, originals)
    syncBuiltinESMExports()
  }
  // Journal, folder, notes; then, under the lock, folder and file; then the journal goes.
  const change = ['fsyncSync', 'fsyncSync', 'fdatasyncSync', 'fsyncSync', 'fsyncSync', 'rmSync']
  expect(calls.slice(0, 6)).toEqual(change)
})
