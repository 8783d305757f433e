import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { describePage } from '../src/model/database-page.ts'
import { hexRows } from '../src/model/hex-rows.ts'

/** The pages of a database that SQLite wrote. */
function pagesOf(sql: string, pageSize: number): Uint8Array[] {
  const folder = mkdtempSync(join(tmpdir(), 'sqlstream-inspector-'))
  try {
    const db = new DatabaseSync(join(folder, 'a.db'))
    db.exec(`PRAGMA page_size = ${pageSize}; ${sql}`)
    db.close()
    const bytes = readFileSync(join(folder, 'a.db'))
    return Array.from({ length: bytes.length / pageSize }, (_, i) =>
      bytes.subarray(i * pageSize, (i + 1) * pageSize),
    )
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const ROWS = `
  CREATE TABLE t (id INTEGER PRIMARY KEY, text TEXT, n INTEGER); CREATE INDEX t_text ON t (text);
  WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 4000)
    INSERT INTO t (text, n) SELECT 'row ' || n, n FROM c;
  INSERT INTO t (text) VALUES (zeroblob(100000));
  DELETE FROM t WHERE id BETWEEN 100 AND 2000;
  PRAGMA user_version = 7; PRAGMA application_id = 99`

test.each([512, 1024, 4096, 65_536])(
  'every kind of page of %i bytes is told, by bytes that SQLite wrote',
  (pageSize) => {
    const pages = pagesOf(ROWS, pageSize)
    const titles = new Set(pages.map((data, i) => describePage(data, i + 1).title))
    expect(titles).toContain('Table, leaf of a b-tree')
    expect(titles).toContain('Index, leaf of a b-tree')
    if (pageSize < 65_536) {
      expect(titles).toContain('Table, interior page of a b-tree')
      expect(titles).toContain('Index, interior page of a b-tree')
      expect(titles).toContain('No page of a b-tree: overflow, free list or pointer map')
    }
  },
)

test('the regions of a page lie side by side and end at its end', () => {
  for (const [i, data] of pagesOf(ROWS, 1024).entries()) {
    const { regions, title } = describePage(data, i + 1)
    let at = 0
    for (const { from, to } of regions) {
      expect(from).toBe(at)
      expect(to).toBeGreaterThan(from)
      at = to
    }
    if (title.includes('b-tree') && !title.startsWith('No')) expect(at).toBe(1024)
  }
})

test('the header of the database is told by name', () => {
  const [first] = pagesOf(ROWS, 4096)
  const fields = Object.fromEntries(describePage(first!, 1).fields.map(({ name, value }) => [name, value]))
  expect(fields).toMatchObject({
    Magic: '"SQLite format 3"',
    'Page size': '4096',
    'User version': '7',
    'Application id': '99',
    'Text encoding': '1',
  })
  expect(fields['Written by SQLite']).toMatch(/^3\.\d+\.\d+$/)
})

describe('a page that is anything', () => {
  test('zeros are zeros', () => {
    expect(describePage(new Uint8Array(512), 3).title).toBe('Zeros')
  })

  test('no byte makes it throw, and no region leaves the page', () => {
    const data = new Uint8Array(512)
    for (let seed = 1; seed < 3000; seed++) {
      let state = seed
      for (let i = 0; i < 16; i++) {
        state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0
        data[i] = state >>> 16
      }
      data[0] = [2, 5, 10, 13, 0, 255][seed % 6]!
      for (const pgno of [1, 2]) {
        const { regions, fill = 0 } = describePage(data, pgno)
        for (const { from, to } of regions) expect(0 <= from && from < to && to <= 512).toBe(true)
        expect(fill).toBeLessThanOrEqual(1)
      }
    }
  })
})

test('rows of bytes: regions apart, long zeros as one row', () => {
  const data = new Uint8Array(96)
  data.set([13, 0x41, 0x42, 0xff])
  data[95] = 0x7e
  const rows = hexRows(data, [
    { kind: 'header', from: 0, to: 2 },
    { kind: 'cells', from: 2, to: 4 },
  ])
  expect(rows.map(({ offset, repeats }) => [offset, repeats])).toEqual([
    [0, 1],
    [16, 4],
    [80, 1],
  ])
  expect(rows[0]!.parts.slice(0, 2)).toEqual([
    { kind: 'header', hex: '0d 41' },
    { kind: 'cells', hex: '42 ff' },
  ])
  expect(rows[0]!.text).toBe(`·AB·${'·'.repeat(12)}`)
  expect(rows[2]!.text.at(-1)).toBe('~')
})
