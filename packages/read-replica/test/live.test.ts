import { Replica } from '@sqlstream/replica'
import { Primary } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { dumpBy } from './support/dump.ts'
import { dumpOf } from './support/history.ts'

test('V1, F3: a reader follows a live database in WAL mode, and reads what was just reported as durable', async () => {
  using folder = new TempFolder('live')
  const database = folder.join('app.db')
  await using store = new FileStore(folder.join('replica'))
  const db = new Database(database)
  try {
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT)')
    await using primary = await Primary.open({ database, replica: new Replica(store) })
    await primary.durable()
    await using reader = await openReplica({ store, poll: false })
    for (let i = 1; i <= 15; i++) {
      db.exec(`INSERT INTO t (a) VALUES ('row ${i}')`)
      if (i % 5 === 0) db.exec(`CREATE INDEX i${i} ON t (a); DELETE FROM t WHERE id % 4 = 0`)
      const { txid } = await primary.durable()
      await reader.waitFor(txid, { timeoutMs: 60_000 })
      expect(await dumpBy(reader)).toBe(dumpOf(db))
    }
    expect(await reader.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' })
  } finally {
    db.close()
  }
})
