import { toTXID } from '@sqlstream/ltx'
import { zipSync } from 'fflate'
import { expect, test } from 'vitest'
import { InspectorError } from '../src/inspector-error.ts'
import { readArchive, writeArchive } from '../src/model/archive.ts'
import { placeFiles } from '../src/model/dropped-files.ts'
import { cellText, quotedName } from '../src/model/sql-value.ts'
import { formatBytes, formatTXIDs } from '../src/model/units.ts'

const ONE = '0000000000000001-0000000000000001.ltx'
const TWO = '0000000000000002-0000000000000002.ltx'

function place(...paths: string[]): string[] {
  return placeFiles(paths.map((path) => ({ path, content: path }))).map(
    ({ key, content }) => `${content} > ${key}`,
  )
}

test.each([
  { what: 'a folder of a replica', paths: [`app/ltx/0/${TWO}`], keys: [`app/ltx/0/${TWO} > ltx/0/${TWO}`] },
  { what: 'a layout of S3', paths: [`app/0009/${ONE}`], keys: [`app/0009/${ONE} > ltx/9/${ONE}`] },
  { what: 'a file alone', paths: [TWO], keys: [`${TWO} > ltx/0/${TWO}`] },
  { what: 'a snapshot alone', paths: [ONE], keys: [`${ONE} > ltx/9/${ONE}`] },
  {
    what: 'a folder of a level',
    paths: [`1/${TWO}`, `.sqlstream/lease.json`],
    keys: [`1/${TWO} > ltx/0/${TWO}`],
  },
])('$what is put in its place', ({ paths, keys }) => {
  expect(place(...paths)).toEqual(keys)
})

test('a file with a name of its own is placed by its header', () => {
  const range = { minTXID: toTXID(2), maxTXID: toTXID(2) }
  expect(placeFiles([{ path: 'copy of two.ltx', content: 1, range }])).toEqual([
    { key: `ltx/0/${TWO}`, content: 1 },
  ])
})

test('what cannot be one replica is refused with a code', () => {
  expect(() => place('notes.txt')).toThrow(expect.objectContaining({ code: 'no-files' }))
  expect(() => place(`a/ltx/0/${TWO}`, `b/ltx/0/${TWO}`)).toThrow(
    expect.objectContaining({ code: 'several-replicas' }),
  )
})

test('an archive gives back what was put into it, and only LTX files', async () => {
  const chunks: Uint8Array[] = []
  const content = Uint8Array.from({ length: 100_000 }, (_, i) => i)
  async function* open() {
    yield content.subarray(0, 40_000)
    yield content.subarray(40_000)
  }
  async function* readme() {
    yield Uint8Array.of(1)
  }
  await writeArchive(
    [
      { path: `ltx/0/${TWO}`, modified: new Date(2026, 1, 1), open },
      { path: 'README', modified: new Date(2026, 1, 1), open: readme },
    ],
    (chunk) => chunks.push(chunk),
  )
  const files = readArchive(Buffer.concat(chunks))
  expect(files.map(({ path }) => path)).toEqual([`ltx/0/${TWO}`])
  expect(Buffer.from(files[0]!.bytes).equals(content)).toBe(true)
})

test('a deflated archive is read, a broken one is refused', () => {
  const zip = zipSync({ [`ltx/9/${ONE}`]: new Uint8Array(5000) }, { level: 9 })
  expect(readArchive(zip)).toEqual([{ path: `ltx/9/${ONE}`, bytes: new Uint8Array(5000) }])
  expect(() => readArchive(zip.subarray(0, 50))).toThrow(InspectorError)
  expect(() => readArchive(new Uint8Array(10))).toThrow(expect.objectContaining({ code: 'bad-archive' }))
})

test.each([
  [null, 'NULL'],
  [7, '7'],
  [2n ** 60n, '1152921504606846976'],
  ['text', 'text'],
  [Uint8Array.of(1, 255), `x'01ff'`],
  [new Uint8Array(1000), `x'${'00'.repeat(32)}…' 1,000 bytes`],
  ['y'.repeat(1000), `${'y'.repeat(300)}… 1,000 characters`],
])('a cell shows %s as %s', (value, text) => {
  expect(cellText(value)).toBe(text)
})

test('names and numbers for people', () => {
  expect(quotedName('a"b')).toBe('"a""b"')
  expect([0, 999, 1000, 12_345, 999_499, 1_000_000, 4_000_000_000].map(formatBytes)).toEqual([
    '0 B',
    '999 B',
    '1.00 KB',
    '12.3 KB',
    '999 KB',
    '1.00 MB',
    '4.00 GB',
  ])
  expect([formatTXIDs(1n, 1n), formatTXIDs(1n, 9n)]).toEqual(['1', '1–9'])
})
