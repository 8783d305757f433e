import type { RowSet, SqlValue } from './engine/messages.ts'

/** A row by the names of its columns. Of columns with the same name the last one counts. */
export type Row = Record<string, SqlValue>

/** Rows as objects. */
export function rowsOf({ columns, rows }: RowSet): Row[] {
  return rows.map((values) => {
    const row: Row = {}
    for (let i = 0; i < columns.length; i++) row[columns[i] as string] = values[i] as SqlValue
    return row
  })
}
