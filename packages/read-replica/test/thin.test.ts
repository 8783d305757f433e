import { expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { History } from './support/history.ts'

test('reads a backup in a store', async () => {
  using history = new History()
  await history.commit(
    `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT); INSERT INTO t (a) VALUES ('x'), ('y')`,
  )
  await history.commit(`UPDATE t SET a = 'z' WHERE id = 2`)
  await using replica = await openReplica({ store: history.store, poll: false })
  expect(replica.position.txid).toBe(2n)
  expect(await replica.all('SELECT * FROM t')).toEqual([
    { id: 1, a: 'x' },
    { id: 2, a: 'z' },
  ])
  await history.commit(`INSERT INTO t (a) VALUES ('new')`)
  expect(await replica.refresh()).toBe(true)
  expect(await replica.get('SELECT count(*) AS n, sqlstream_txid() AS txid FROM t')).toEqual({
    n: 3,
    txid: '0000000000000003',
  })
})
