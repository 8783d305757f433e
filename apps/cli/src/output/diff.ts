import type { RowDiff, SQLValue } from '@sqlstream/follower'
import type { DiffJSON, RowJSON, ValueJSON } from '../diff-schema.ts'
import { formatCount } from './units.ts'

const MOST_CHARACTERS = 120
const MOST_BYTES = 32
const MARK = { added: '+', removed: '-', changed: '~' } as const

/** A value as JSON has it. */
export function valueJSON(value: SQLValue): ValueJSON {
  if (value === null) return null
  if (typeof value === 'bigint') {
    return Number.isSafeInteger(Number(value)) ? Number(value) : { integer: String(value) }
  }
  if (typeof value === 'number') return Number.isFinite(value) ? value : { real: String(value) }
  if (typeof value === 'string') {
    if (value.length <= MOST_CHARACTERS) return value
    return { text: value.slice(0, MOST_CHARACTERS), characters: value.length }
  }
  return { blob: Buffer.from(value.subarray(0, MOST_BYTES)).toString('hex'), bytes: value.byteLength }
}

/** A row as JSON has it. */
export function rowJSON({ change, key, before, after }: RowDiff): RowJSON {
  return {
    change,
    key: key.map(valueJSON),
    ...(before && { before: valuesJSON(before) }),
    ...(after && { after: valuesJSON(after) }),
  }
}

function valuesJSON(values: Readonly<Record<string, SQLValue>>): Record<string, ValueJSON> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [name, valueJSON(value)]))
}

/** The differences for people. */
export function diffLines({ from, to, schema, tables, skipped }: DiffJSON): string[] {
  const lines = [`from TXID ${from.txid}, ${from.timestamp}`, `to   TXID ${to.txid}, ${to.timestamp}`]
  for (const { type, name, change } of schema) lines.push(`${MARK[change]} ${type} ${name}`)
  for (const { name, added, removed, changed, rows } of tables) {
    lines.push(`${name}: ${added} added, ${removed} removed, ${changed} changed`)
    for (const row of rows) lines.push(`  ${rowText(row)}`)
    const more = added + removed + changed - rows.length
    if (more > 0) lines.push(`  and ${formatCount(more, 'row')} more`)
  }
  if (schema.length + tables.length === 0) lines.push('no difference')
  if (skipped.length > 0) lines.push(`not compared: ${skipped.join(', ')}`)
  return lines
}

function rowText({ change, key, before, after }: RowJSON): string {
  const id = key.map(valueText).join(', ')
  const names = Object.keys(after ?? before ?? {})
  const values = names.map((name) => {
    const [old, now] = [before?.[name], after?.[name]]
    if (change !== 'changed') return `${name} ${valueText((now ?? old ?? null) as ValueJSON)}`
    return `${name} ${valueText(old ?? null)} -> ${valueText(now ?? null)}`
  })
  return `${MARK[change]} ${id}${values.length > 0 ? `: ${values.join(', ')}` : ''}`
}

function valueText(value: ValueJSON): string {
  if (value === null) return 'NULL'
  if (typeof value === 'number') return String(value)
  if (typeof value === 'string') return JSON.stringify(value)
  if ('integer' in value) return value.integer
  if ('real' in value) return value.real
  if ('blob' in value)
    return `x'${value.blob}${value.bytes > MOST_BYTES ? '...' : ''}' (${formatCount(value.bytes, 'byte')})`
  return `${JSON.stringify(value.text)}... (${formatCount(value.characters, 'character')})`
}
