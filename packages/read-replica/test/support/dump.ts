import Database from 'better-sqlite3'
import type { ReadTx } from '../../src/index.ts'
import { dumpOf, dumpText, SCHEMA, TABLES } from './history.ts'

/** The same text as `dumpOf`, by one replica or snapshot. */
export async function dumpBy(tx: ReadTx): Promise<string> {
  const [schema = [], tables = []] = await tx.batch([[SCHEMA], [TABLES]])
  const rows = await tx.batch(tables.map(({ name }) => [`SELECT * FROM "${name}"`] as const))
  return dumpText(
    schema,
    tables.map(({ name }, i) => [String(name), rows[i] ?? []] as const),
  )
}

/** What a `.dump` of the sqlite3 program makes. */
export function contentOf(sql: string): string {
  const db = new Database(':memory:').unsafeMode()
  try {
    db.exec(sql)
    return dumpOf(db)
  } finally {
    db.close()
  }
}
