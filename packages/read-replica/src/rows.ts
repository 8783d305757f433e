import type { RowSet, RowSets, SqlValue } from './engine/messages.ts'
import type { PackedSets } from './engine/packed-rows.ts'
import { ValueReader } from './value-reader.ts'

/** A row by the names of its columns. Of columns with the same name the last one counts. */
export type Row = Record<string, SqlValue>

/** Rows as arrays, for each statement. */
export function rowSetsOf(answer: RowSets): readonly RowSet[] {
  if (!('chunks' in answer)) return answer
  return unpacked(answer, (columns, reader) => columns.map(() => reader.next())).map((rows, i) => ({
    columns: answer.sets[i]?.columns ?? [],
    rows,
  }))
}

/** Rows as objects, for each statement. */
export function objectsOf(answer: RowSets): Row[][] {
  if (!('chunks' in answer)) return answer.map(rowsOf)
  return unpacked(answer, (columns, reader) => {
    const row: Row = {}
    for (let i = 0; i < columns.length; i++) row[columns[i] as string] = reader.next()
    return row
  })
}

function unpacked<T>(
  { sets, chunks }: PackedSets,
  rowOf: (columns: readonly string[], reader: ValueReader) => T,
): T[][] {
  const reader = new ValueReader(chunks)
  const rows = sets.map(({ columns, rows }) => Array.from({ length: rows }, () => rowOf(columns, reader)))
  reader.end()
  return rows
}

function rowsOf({ columns, rows }: RowSet): Row[] {
  return rows.map((values) => {
    const row: Row = {}
    for (let i = 0; i < columns.length; i++) row[columns[i] as string] = values[i] as SqlValue
    return row
  })
}
