import { toTXID } from '@sqlstream/ltx'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { type FollowerEvent, openFollower } from '../src/index.ts'
import { comparable, History } from './support/history.ts'

test('F5: a first copy, then each step, and after a stop from where it was', async () => {
  using history = new History()
  await history.step('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
  for (let i = 0; i < 5; i++) await history.step(`INSERT INTO t(v) VALUES (randomblob(5000))`)
  const file = history.path('copy.db')
  const events: FollowerEvent[] = []
  const options = {
    replica: history.replica,
    file,
    poll: false,
    onEvent: (e: FollowerEvent) => events.push(e),
  } as const
  {
    await using follower = await openFollower(options)
    expect(follower.status.pos.txid).toBe(6n)
    const reader = new Database(file, { readonly: true })
    const count = reader.prepare('SELECT count(*) FROM t').pluck()
    expect(count.get()).toBe(5)
    await history.step('INSERT INTO t(v) VALUES (1)')
    await follower.catchUp()
    expect(count.get()).toBe(6)
    await history.step('DELETE FROM t WHERE id < 6; VACUUM')
    await follower.catchUp()
    expect(count.get()).toBe(1)
    expect(reader.pragma('integrity_check', { simple: true })).toBe('ok')
    reader.close()
    expect(follower.status.pos).toEqual({ txid: toTXID(8n), postApplyChecksum: history.checksums[8] })
  }
  expect(comparable(file, history.images[8]!).equals(history.images[8]!)).toBe(true)
  await history.step('CREATE TABLE u AS SELECT * FROM t')
  {
    await using follower = await openFollower(options)
    expect(follower.status.pos.txid).toBe(8n)
    await follower.catchUp()
  }
  expect(comparable(file, history.images[9]!).equals(history.images[9]!)).toBe(true)
  expect(events.map(({ type }) => type)).toEqual([
    'restored',
    'applied',
    'current',
    'applied',
    'current',
    'resumed',
    'applied',
    'current',
  ])
})
