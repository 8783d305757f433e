import type { Random } from '@sqlstream/testkit'

/** What `change` works on. */
export const CHANGES_SETUP = `CREATE TABLE t (id INTEGER PRIMARY KEY, a TEXT, b BLOB); CREATE INDEX i ON t (a)`

/** What a writer may do in one transaction. */
export function change(random: Random): string {
  const id = random.integer(1, 400)
  switch (random.below(9)) {
    case 0:
      return `DELETE FROM t WHERE id BETWEEN ${id} AND ${id + random.below(150)}`
    case 1:
      return 'VACUUM'
    case 2:
      return `CREATE TABLE IF NOT EXISTS extra${id % 3} (x, y); INSERT INTO extra${id % 3} VALUES (${id}, randomblob(900))`
    case 3:
      return `DROP TABLE IF EXISTS extra${id % 3}`
    case 4:
      return `PRAGMA incremental_vacuum(${random.below(30)})`
    case 5:
      return `UPDATE t SET a = 'v' || random() WHERE id % ${random.integer(2, 9)} = 0`
    default:
      return `WITH RECURSIVE n(i) AS (SELECT ${id} UNION ALL SELECT i + 1 FROM n WHERE i < ${id + random.below(60)})
        INSERT OR REPLACE INTO t SELECT i, 'row ' || random(), randomblob(${random.below(1200)}) FROM n`
  }
}
