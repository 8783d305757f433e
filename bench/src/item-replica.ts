import { join } from 'node:path'
import { Replica } from '@sqlstream/replica'
import { Primary } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import Database from 'better-sqlite3'

/** Behind the snapshot. */
const CAPTURES = 11

/** A database and the folder of its replica. */
export interface ItemReplica {
  readonly replica: string
  readonly database: string
}

/** A replica of a database in use: a snapshot, and captures behind it. The database is left, closed. 400,000 rows are 200 MB. */
export async function makeItemReplica(folder: string, rows: number): Promise<ItemReplica> {
  const database = join(folder, 'app.db')
  const replica = join(folder, 'replica')
  const db = new Database(database)
  db.pragma('journal_mode = WAL')
  db.exec(`
    CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, kind INTEGER, body TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO item SELECT i, 'name ' || ((i * 7919) % ${rows}), i % 100,
      hex(randomblob(100)) || ' some words that compress well, as text does, in every row: ' || i || hex(zeroblob(60)) FROM n;
    CREATE INDEX item_kind ON item (kind);
    CREATE INDEX item_name ON item (name);
    CREATE TABLE kind (id INTEGER PRIMARY KEY, title TEXT);
    INSERT INTO kind SELECT DISTINCT kind, 'kind ' || kind FROM item;`)
  await using store = new FileStore(replica)
  const primary = await Primary.open({ database, replica: new Replica(store) })
  await primary.durable()
  for (let i = 0; i < CAPTURES; i++) {
    const count = i === 0 ? Math.round(rows / 400) : 30
    db.exec(
      `UPDATE item SET body = body || 'x' WHERE id IN (SELECT abs(random()) % ${rows} + 1 FROM item LIMIT ${count})`,
    )
    await primary.durable()
  }
  await primary.close()
  db.close()
  return { replica, database }
}
