import { headOf, pin } from '@sqlstream/replica'
import { Random } from '@sqlstream/testkit'
import { expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { CHANGES_SETUP, change } from './support/changes.ts'
import { dumpBy } from './support/dump.ts'
import { History, timeOf } from './support/history.ts'
import { compactNow, retainNow, snapshotNow } from './support/maintain.ts'

/** A transaction is a second here. */
const TEN_MINUTES = 600
const random = new Random(23)

async function begin(): Promise<History> {
  const history = new History()
  await history.commit(CHANGES_SETUP)
  // More than a reader keeps of it without a cache.
  await history.commit(`CREATE TABLE big(id INTEGER PRIMARY KEY, a);
    WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i + 1 FROM n WHERE i < 400)
    INSERT INTO big SELECT i, randomblob(900) FROM n`)
  for (let i = 0; i < 5; i++) await history.commit(change(random))
  return history
}

/** Commits, merges, snapshots and removals, as fast as they go: what nothing promises is removed a second later. */
async function goOn(history: History, seconds: number): Promise<number> {
  let removed = 0
  for (let i = 1; i <= seconds; i++) {
    await history.commit(i === 1 ? 'UPDATE big SET a = randomblob(900)' : change(random))
    if (i % 3 > 0) continue
    await compactNow(history)
    if (i % 30 === 0) await snapshotNow(history)
    removed += await retainNow(history, 1000)
  }
  return removed
}

test('T23: a transaction that is open for ten minutes reads one state to the end, if that is pinned, while merges and removals go on at full speed', async () => {
  using history = await begin()
  await using replica = await openReplica({ store: history.store, poll: false, cache: { bytes: 0 } })
  const { txid } = replica.position
  const expires = new Date(timeOf(txid) + 3_600_000)
  await pin(history.store, { id: 'a-report', txid, reason: 'test', expires })
  const expected = history.dump
  let removed = 0
  await replica.snapshot(async (tx) => {
    for (let minute = 0; minute < 10; minute++) {
      removed += await goOn(history, TEN_MINUTES / 10)
      // Another reader brings its view up to date meanwhile.
      await replica.refresh()
      expect(await dumpBy(tx)).toBe(expected)
      expect(tx.position.txid).toBe(txid)
    }
  })
  expect(history.txid - txid).toBe(BigInt(TEN_MINUTES))
  expect(headOf(await history.replica.catalog())).toBe(history.txid)
  expect(removed).toBeGreaterThan(TEN_MINUTES / 2)
  await replica.refresh()
  expect(await dumpBy(replica)).toBe(history.dump)
})

test('T23: one whose state nothing holds reads it for as long as it can be made, then says that it is gone, and never reads another', async () => {
  using history = await begin()
  await using replica = await openReplica({ store: history.store, poll: false, cache: { bytes: 0 } })
  const expected = history.dump
  let read = 0
  const reading = replica.snapshot(async (tx) => {
    for (let second = 0; second < TEN_MINUTES; second += 30) {
      await goOn(history, 30)
      expect(await dumpBy(tx)).toBe(expected)
      read++
    }
  })
  await expect(reading).rejects.toMatchObject({ code: 'snapshot-gone' })
  expect(read).toBeLessThan(TEN_MINUTES / 30)
  await replica.refresh()
  expect(await dumpBy(replica)).toBe(history.dump)
})
