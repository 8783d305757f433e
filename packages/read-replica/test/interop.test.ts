import { pathToFileURL } from 'node:url'
import { FileStore } from '@sqlstream/storage-file'
import { peerOrReason, TempFolder } from '@sqlstream/testkit'
import { expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { contentOf, dumpBy } from './support/dump.ts'
import { History, timeOf } from './support/history.ts'
import { mergeNow } from './support/maintain.ts'

const vfs = await peerOrReason('litestream-vfs')

const CHANGES = [
  `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB); CREATE INDEX i ON t (a);
   WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000)
   INSERT INTO t SELECT i, 'row ' || (i * 7 % 1000), randomblob(i % 300) FROM n`,
  'UPDATE t SET b = randomblob(200) WHERE id % 37 = 0',
  'DELETE FROM t WHERE id BETWEEN 500 AND 900',
  'CREATE TABLE other AS SELECT a, count(*) AS n FROM t GROUP BY a',
  'ALTER TABLE t ADD COLUMN c DEFAULT 5; UPDATE t SET c = id WHERE id < 50',
  'DROP INDEX i',
]

const QUERIES = [
  'SELECT count(*), sum(length(b)), max(a) FROM t',
  `SELECT id, a FROM t WHERE a = 'row 7' ORDER BY id`,
  'SELECT a, count(*) FROM t GROUP BY a ORDER BY 2 DESC, 1 LIMIT 20',
]

test('V1: the answers are those of the VFS of Litestream, newest and at every instant', async (context) => {
  if ('reason' in vfs) return context.skip(vfs.reason)
  using folder = new TempFolder('reader-interop')
  const path = folder.join('replica')
  await using store = new FileStore(path)
  using history = new History({ store })
  for (const change of CHANGES) await history.commit(change)
  await mergeNow(history, 1, 2, 4)
  const url = pathToFileURL(path).href
  await using newest = await openReplica({ store, poll: false })
  expect(contentOf(await vfs.dump(url))).toBe(await dumpBy(newest))
  for (let txid = 1; txid <= history.txid; txid++) {
    await using replica = await newest.asOf({ time: new Date(timeOf(txid)) })
    const at = new Date(timeOf(txid) + 1)
    expect(contentOf(await vfs.dump(url, { at }))).toBe(await dumpBy(replica))
    const printed = await vfs.query(url, ['.mode json', ...QUERIES.map((sql) => `${sql};`)], { at })
    const theirs = printed
      .split(/^(?=\[)/m)
      .filter((text) => text.trim() !== '')
      .map((text) => JSON.parse(text) as unknown)
    const ours = (await replica.batch(QUERIES.map((sql) => [sql]))).filter((rows) => rows.length > 0)
    expect(ours).toEqual(theirs)
  }
})
