import { filesOf } from '@sqlstream/replica'
import { getBytes } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { History } from './support/history.ts'
import { snapshotNow } from './support/maintain.ts'

const SETUP = `CREATE TABLE same (id INTEGER PRIMARY KEY); INSERT INTO same VALUES (1)`

/** What another writer made of the first state of a history, as a snapshot. */
async function otherSnapshot(changes: readonly string[]): Promise<{ key: string; bytes: Uint8Array }> {
  using other = new History()
  for (const sql of [SETUP, ...changes]) await other.commit(sql)
  await snapshotNow(other)
  const [newest] = filesOf(await other.replica.catalog())
    .filter(({ maxTXID }) => maxTXID === other.txid && maxTXID > 1)
    .filter(({ level }) => level === 9)
  if (!newest) throw new Error('no snapshot')
  return { key: newest.key, bytes: await getBytes(other.store, newest.key) }
}

test('F6: a state of another history with another schema under the same cookie is read by its own schema', async () => {
  using history = new History()
  await history.commit(SETUP)
  await history.commit(`CREATE TABLE mine (a, b); INSERT INTO mine VALUES ('mine', 1)`)
  await using replica = await openReplica({ store: history.store, poll: false })
  expect(await replica.all('SELECT * FROM mine')).toEqual([{ a: 'mine', b: 1 }])
  const cookie = await replica.get('PRAGMA schema_version')

  // Whoever went on from the first state made as many changes of the schema, and the tables lie in the same pages.
  const { key, bytes } = await otherSnapshot([
    `CREATE TABLE yours (x); INSERT INTO yours VALUES ('yours')`,
    `INSERT INTO yours VALUES ('more')`,
  ])
  const gone = filesOf(await history.replica.catalog()).filter(({ maxTXID }) => maxTXID === 2n)
  await history.store.delete(gone.map((file) => file.key))
  await history.store.put(key, bytes)
  expect(await replica.refresh()).toBe(true)
  expect(replica.position.txid).toBe(3n)

  await expect(replica.all('SELECT * FROM mine')).rejects.toMatchObject({ sqliteCode: 'SQLITE_ERROR' })
  expect(await replica.all('SELECT x FROM yours')).toEqual([{ x: 'yours' }, { x: 'more' }])
  // The test would prove nothing otherwise.
  await using fresh = await openReplica({ store: history.store, poll: false })
  expect(await fresh.get('PRAGMA schema_version')).toEqual(cookie)
})
