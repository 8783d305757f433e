import type { RowSet, SqlValue } from '@sqlstream/read-replica'
import { formatTable } from '../output/table.ts'
import type { QueryJSON, ValueJSON } from './query-schema.ts'

/** How results are written for people and for other programs. */
export type QueryFormat = 'table' | 'csv'

/** A result as text that ends with a line break; empty for a statement that has no columns. */
export function resultText(set: RowSet, format: QueryFormat): string {
  if (set.columns.length === 0) return ''
  return format === 'csv' ? csvText(set) : `${tableText(set)}\n`
}

function tableText({ columns, rows }: RowSet): string {
  const isNumeric = columns.map((_, i) => rows.length > 0 && rows.every((row) => isNumber(row[i])))
  return formatTable(
    columns.map((title, i) => ({ title: visible(title), align: isNumeric[i] ? 'right' : 'left' })),
    rows.map((row) => row.map((value) => (value === null ? 'NULL' : visible(plainText(value))))),
  )
}

function isNumber(value: SqlValue | undefined): boolean {
  return typeof value === 'number' || typeof value === 'bigint'
}

/** What would move the cursor of a terminal, or break a row, is shown as an escape. */
function visible(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, (char) => {
    if (char === '\n') return '\\n'
    if (char === '\t') return '\\t'
    return `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`
  })
}

/** RFC 4180, but lines end as those of other programs here do. NULL is empty, an empty text is quoted. */
function csvText({ columns, rows }: RowSet): string {
  const lines = rows.map((row) => row.map((value) => (value === null ? '' : csvField(plainText(value)))))
  return [columns.map(csvField), ...lines].map((fields) => `${fields.join(',')}\n`).join('')
}

function csvField(text: string): string {
  return text === '' || /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}

function plainText(value: Exclude<SqlValue, null>): string {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : String(value)
}

/** A result as it appears in `--json` output. */
export function resultJSON({ columns, rows }: RowSet): QueryJSON['results'][number] {
  return { columns: [...columns], rows: rows.map((row) => row.map(valueJSON)) }
}

function valueJSON(value: SqlValue): ValueJSON {
  if (typeof value === 'bigint') return { integer: String(value) }
  if (value instanceof Uint8Array) return { base64: Buffer.from(value).toString('base64') }
  // JSON has no infinities.
  if (typeof value === 'number' && !Number.isFinite(value)) return String(value)
  return value
}
