import { History } from './history.ts'
import { mergeNow } from './maintain.ts'

/** Rows of a database of 200 MB. */
const ROWS_OF_200_MB = 400_000

/**
 * A backup like that of a database in use: a snapshot, a merge, and ten captures that touch a few pages here and there. Two indexes, and full-text search.
 *
 * @param share 1 for a database of about 200 MB
 */
export async function largeHistory(share: number): Promise<History> {
  const history = new History({ keepsDumps: false })
  const rows = Math.round(ROWS_OF_200_MB * share)
  const each = `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})`
  await history.commit(`
    CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, kind INTEGER, body TEXT);
    ${each} INSERT INTO item SELECT i, 'name ' || ((i * 7919) % ${rows}), i % 100,
      hex(randomblob(90)) || ' some words that compress well, as text does, in every row of it: ' || i || hex(zeroblob(50)) FROM n;
    CREATE INDEX item_kind ON item (kind);
    CREATE INDEX item_name ON item (name);`)
  for (let i = 0; i < 12; i++) {
    const changes = Math.round((i < 2 ? 600 : 20) * Math.max(share, 0.2))
    await history.commit(
      `UPDATE item SET kind = kind + 1 WHERE id IN (SELECT abs(random()) % ${rows} + 1 FROM item LIMIT ${changes})`,
    )
  }
  await mergeNow(history, 1, 2, 3)
  const { levels } = await history.replica.catalog()
  await history.store.delete(
    (levels.get(0) ?? []).filter(({ maxTXID }) => maxTXID <= 3n).map(({ key }) => key),
  )
  return history
}
