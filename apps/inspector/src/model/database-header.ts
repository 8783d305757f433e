import type { Field } from './database-page.ts'

const ENCODINGS: Readonly<Record<number, string>> = {
  1: 'UTF-8',
  2: 'UTF-16, little-endian',
  3: 'UTF-16, big-endian',
}
const MODES: Readonly<Record<number, string>> = { 1: 'rollback journal', 2: 'WAL' }

/** The first 100 bytes of a database. */
export function databaseHeaderFields(data: Uint8Array): Field[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength)
  const u32 = (offset: number): number => view.getUint32(offset)
  const text = String.fromCharCode(...data.subarray(0, 15))
  const pageSize = view.getUint16(16)
  const version = u32(96)
  const rows: [
    offset: number,
    size: number,
    name: string,
    value: string | number,
    meaning?: string | undefined,
  ][] = [
    [
      0,
      16,
      'Magic',
      JSON.stringify(text),
      text === 'SQLite format 3' ? undefined : 'should be "SQLite format 3"',
    ],
    [16, 2, 'Page size', pageSize === 1 ? 65_536 : pageSize, 'bytes'],
    [18, 1, 'Write version', data[18]!, MODES[data[18]!]],
    [19, 1, 'Read version', data[19]!, MODES[data[19]!]],
    [20, 1, 'Reserved', data[20]!, 'bytes at the end of each page'],
    [24, 4, 'Change counter', u32(24)],
    [28, 4, 'Database size', u32(28), 'pages'],
    [32, 4, 'First page of the free list', u32(32) || 'none'],
    [36, 4, 'Free pages', u32(36)],
    [40, 4, 'Schema cookie', u32(40), 'grows with each change of the schema'],
    [44, 4, 'Schema format', u32(44)],
    [52, 4, 'Largest root page', u32(52) || 'none', u32(52) ? 'auto-vacuum' : 'no auto-vacuum'],
    [56, 4, 'Text encoding', u32(56), ENCODINGS[u32(56)]],
    [60, 4, 'User version', u32(60), 'PRAGMA user_version'],
    [68, 4, 'Application id', u32(68), 'PRAGMA application_id'],
    [92, 4, 'Version valid for', u32(92), 'change counter at which the next field was written'],
    [96, 4, 'Written by SQLite', versionText(version)],
  ]
  return rows.map(([offset, size, name, value, meaning]) => ({
    offset,
    size,
    name,
    value: String(value),
    meaning,
  }))
}

/** 3054001 is 3.54.1. */
function versionText(version: number): string {
  return `${Math.floor(version / 1_000_000)}.${Math.floor(version / 1000) % 1000}.${version % 1000}`
}
