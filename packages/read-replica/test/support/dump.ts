import type { ReadTx } from '../../src/index.ts'
import { dumpText, SCHEMA, TABLES } from './history.ts'

/** The same text as `dumpOf`, by one replica or snapshot. */
export async function dumpBy(tx: ReadTx): Promise<string> {
  const [schema = [], tables = []] = await tx.batch([[SCHEMA], [TABLES]])
  const rows = await tx.batch(tables.map(({ name }) => [`SELECT * FROM "${name}"`] as const))
  return dumpText(
    schema,
    tables.map(({ name }, i) => [String(name), rows[i] ?? []] as const),
  )
}
