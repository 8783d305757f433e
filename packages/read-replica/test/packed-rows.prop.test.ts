import fc from 'fast-check'
import { expect, test } from 'vitest'
import type { SqlValue } from '../src/engine/messages.ts'
import { buffersOf, type PackedSets, RowPacker } from '../src/engine/packed-rows.ts'
import { objectsOf, rowSetsOf } from '../src/rows.ts'

const decoder = new TextDecoder('utf-8', { ignoreBOM: true })
const encoder = new TextEncoder()

/** A text of SQLite is bytes, which need not be UTF-8. */
type Value = Exclude<SqlValue, string> | { readonly utf8: Uint8Array }

function pack(rows: readonly (readonly Value[])[], columns: readonly string[]): PackedSets {
  const packer = new RowPacker()
  for (const value of rows.flat()) {
    if (value === null) packer.null()
    else if (typeof value === 'number') packer.number(value)
    else if (typeof value === 'bigint') packer.bigint(value)
    else if (value instanceof Uint8Array) packer.blob(surrounded(value), 3, value.length)
    else packer.text(surrounded(value.utf8), 3, value.utf8.length)
  }
  const packed = { sets: [{ columns, rows: rows.length }], chunks: packer.end() }
  // As it goes to another thread.
  return structuredClone(packed, { transfer: buffersOf(packed) })
}

/** In the memory of SQLite there is something before and behind it. */
function surrounded(bytes: Uint8Array): Uint8Array {
  const all = new Uint8Array(bytes.length + 6).fill(0x78)
  all.set(bytes, 3)
  return all
}

function read(value: Value): SqlValue {
  return value !== null && typeof value === 'object' && 'utf8' in value ? decoder.decode(value.utf8) : value
}

const utf8 = (bytes: Uint8Array): { utf8: Uint8Array } => ({ utf8: bytes })
const value: fc.Arbitrary<Value> = fc.oneof(
  fc.constant(null),
  fc.double(),
  fc.integer(),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
  fc.string({ unit: 'grapheme-ascii', maxLength: 120 }).map((text) => utf8(encoder.encode(text))),
  fc.string({ unit: 'grapheme', maxLength: 60 }).map((text) => utf8(encoder.encode(text))),
  fc.uint8Array({ maxLength: 8 }).map(utf8),
  fc.uint8Array({ maxLength: 100 }),
)

test('values come out as they went in, whatever bytes a text has', () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 4 }), fc.array(value, { maxLength: 400 }), (width, values) => {
      const columns = Array.from({ length: width }, (_, i) => `c${i}`)
      const count = Math.floor(values.length / width)
      const rows = Array.from({ length: count }, (_, i) => values.slice(i * width, (i + 1) * width))
      const expected = rows.map((row) => row.map(read))
      expect(rowSetsOf(pack(rows, columns))).toEqual([{ columns, rows: expected }])
      expect(objectsOf(pack(rows, columns))).toEqual([
        expected.map((row) => Object.fromEntries(row.map((each, i) => [`c${i}`, each]))),
      ])
    }),
  )
})

test('texts whose bytes would be one character together stay apart', () => {
  const rows = [[0xc3], [0xa9], [0xef, 0xbb, 0xbf], []].map((bytes) => [utf8(Uint8Array.from(bytes))])
  const [set] = rowSetsOf(pack(rows, ['t']))
  expect(set?.rows).toEqual([['\ufffd'], ['\ufffd'], ['\ufeff'], ['']])
})

test.for([
  ['many small values', 9000, 1],
  ['texts that fill many chunks', 900, 700],
  ['values larger than a chunk', 5, 200_000],
] as const)('%s are in their order', ([, count, size]) => {
  const rows = Array.from({ length: count }, (_, i): Value[] => [
    i,
    utf8(encoder.encode(String.fromCharCode(97 + (i % 26)).repeat(size))),
    new Uint8Array(size).fill(i),
    i % 3 === 0 ? null : BigInt(i) * 2n ** 49n,
  ])
  const packed = pack(rows, ['a', 'b', 'c', 'd'])
  expect(packed.chunks.length).toBeGreaterThan(1)
  expect(rowSetsOf(packed)[0]?.rows).toEqual(rows.map((row) => row.map(read)))
})

test('several results follow each other, empty ones too', () => {
  const packer = new RowPacker()
  packer.number(1)
  packer.number(2)
  const sets = [
    { columns: ['a'], rows: 1 },
    { columns: ['b'], rows: 0 },
    { columns: [], rows: 0 },
    { columns: ['c'], rows: 1 },
  ]
  expect(objectsOf({ sets, chunks: packer.end() })).toEqual([[{ a: 1 }], [], [], [{ c: 2 }]])
})

test('the memory of what was read is free at once', () => {
  const rows = Array.from({ length: 3000 }, (_, i): Value[] => [i])
  const packed = pack(rows, ['a'])
  rowSetsOf(packed)
  expect(packed.chunks.map(({ numbers }) => numbers.buffer.byteLength)).toEqual([0, 0])
})
