import { databaseHeaderFields } from './database-header.ts'

/** A value in a page, and what it means. */
export interface Field {
  readonly offset: number
  /** Bytes. */
  readonly size: number
  readonly name: string
  readonly value: string
  readonly meaning?: string | undefined
}

/** What bytes of a page are for. */
export interface Region {
  readonly kind: 'database' | 'header' | 'pointers' | 'free' | 'cells' | 'next'
  readonly from: number
  /** Behind the last byte. */
  readonly to: number
}

/** A page of a SQLite database, as far as it can be told from its bytes alone. */
export interface DatabasePage {
  readonly title: string
  readonly fields: readonly Field[]
  /** In the order of their offsets; what is in none has no name. */
  readonly regions: readonly Region[]
  /** Of a page of a b-tree: how full it is, 0 to 1. */
  readonly fill?: number
}

const KINDS: Readonly<Record<number, string>> = {
  2: 'Index, interior page of a b-tree',
  5: 'Table, interior page of a b-tree',
  10: 'Index, leaf of a b-tree',
  13: 'Table, leaf of a b-tree',
}

const DATABASE_HEADER = 100

/** Reads what a page says about itself. Never throws: a page may be anything. */
export function describePage(data: Uint8Array, pgno: number): DatabasePage {
  const start = pgno === 1 ? DATABASE_HEADER : 0
  const isDatabase = pgno === 1 && data.length >= DATABASE_HEADER
  const own = isDatabase ? databaseHeaderFields(data) : []
  const regions: Region[] = isDatabase ? [{ kind: 'database', from: 0, to: DATABASE_HEADER }] : []
  const type = data[start] ?? 0
  const title = KINDS[type]
  if (title === undefined) return otherPage(data, own, regions)
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const isInterior = type === 2 || type === 5
  const size = isInterior ? 12 : 8
  const cells = view.getUint16(start + 3)
  const content = view.getUint16(start + 5) || 65_536
  const pointers = start + size
  const free = pointers + 2 * cells
  if (free > content || content > data.length) return otherPage(data, own, regions)
  const firstFree = view.getUint16(start + 1)
  const fields: Field[] = [
    ...own,
    field(start, 1, 'Type', String(type), title),
    field(
      start + 1,
      2,
      'First free block',
      firstFree === 0 ? 'none' : String(firstFree),
      'inside of the cell content',
    ),
    field(start + 3, 2, 'Cells', String(cells)),
    field(start + 5, 2, 'Cell content begins', String(content), 'it grows towards the header'),
    field(start + 7, 1, 'Fragments', String(data[start + 7]), 'free bytes in pieces of 3 and less'),
  ]
  if (isInterior)
    fields.push(field(start + 8, 4, 'Rightmost child', String(view.getUint32(start + 8)), 'page number'))
  regions.push(
    { kind: 'header', from: start, to: pointers },
    { kind: 'pointers', from: pointers, to: free },
    { kind: 'free', from: free, to: content },
    { kind: 'cells', from: content, to: data.length },
  )
  const unused = content - free + (data[start + 7] ?? 0)
  return {
    title,
    fields,
    regions: regions.filter(({ from, to }) => from < to),
    fill: 1 - unused / (data.length - start),
  }
}

function otherPage(data: Uint8Array, own: readonly Field[], regions: readonly Region[]): DatabasePage {
  if (data.every((byte) => byte === 0)) return { title: 'Zeros', fields: own, regions }
  if (own.length > 0) return { title: 'Header of the database', fields: own, regions }
  const next = new DataView(data.buffer, data.byteOffset, data.byteLength).getUint32(0)
  return {
    title: 'No page of a b-tree: overflow, free list or pointer map',
    fields: [
      field(0, 4, 'Next page', next === 0 ? 'none' : String(next), 'of an overflow chain or the free list'),
    ],
    regions: [{ kind: 'next', from: 0, to: 4 }],
  }
}

function field(offset: number, size: number, name: string, value: string, meaning?: string): Field {
  return { offset, size, name, value, meaning }
}
