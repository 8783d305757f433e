import {
  formatChecksum,
  formatFilename,
  formatTXID,
  isContiguous,
  isPageSize,
  isSnapshot,
  lockPgno,
  type PageSize,
  parseChecksum,
  parseFilename,
  parseTXID,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const MAX = 2n ** 64n - 1n
/** Numbers at which some width ends (T49). */
const borders: readonly bigint[] = [1n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n].flatMap((n) => [
  n - 1n,
  n,
  n + 1n,
])

describe('transaction ids and checksums', () => {
  test('N3 T49: text is 16 lowercase digits at every border, and reads back', () => {
    for (const value of [...borders, MAX]) {
      expect(formatTXID(toTXID(value))).toMatch(/^[0-9a-f]{16}$/)
      expect(parseTXID(formatTXID(toTXID(value)))).toBe(value)
      expect(parseChecksum(formatChecksum(toChecksum(value)))).toBe(value)
    }
  })

  test('refuses what is no uint64', () => {
    for (const value of [-1n, MAX + 1n, -1, 0.5, 2 ** 53, Number.NaN])
      expect(() => toTXID(value)).toThrow(RangeError)
    for (const text of [
      '',
      '1',
      '000000000000000A',
      '00000000000000001',
      ' 00000000000000f',
      '0x00000000000001',
    ]) {
      expect(() => parseTXID(text)).toThrow(RangeError)
      expect(() => parseChecksum(text)).toThrow(RangeError)
    }
  })
})

describe('file names', () => {
  test('N4 T49: every range makes a name that reads back, of the same length and in TXID order', () => {
    const txid = fc.oneof(fc.bigInt(1n, MAX), fc.constantFrom(...borders.filter((n) => n > 0n), MAX))
    fc.assert(
      fc.property(txid, txid, (a, b) => {
        const [low, high] = a < b ? [a, b] : [b, a]
        const range = { minTXID: toTXID(low), maxTXID: toTXID(high) }
        const name = formatFilename(range)
        expect(name).toHaveLength(37)
        expect(parseFilename(name)).toEqual(range)
        const other = formatFilename({ minTXID: toTXID(b), maxTXID: toTXID(MAX) })
        expect(formatFilename({ minTXID: toTXID(a), maxTXID: toTXID(MAX) }) < other).toBe(a < b)
      }),
    )
  })

  test('N4: anything else is not a name', () => {
    const good = '0000000000000001-0000000000000007.ltx'
    expect(parseFilename(good)).toEqual({ minTXID: 1n, maxTXID: 7n })
    const bad = [
      '',
      `x${good}`,
      `${good}.tmp`,
      `ltx/0/${good}`,
      `${good}\n`,
      good.toUpperCase(),
      '0000000000000000-0000000000000007.ltx',
      '0000000000000008-0000000000000007.ltx',
      '00000000000000001-0000000000000007.ltx',
      '000000000000001-0000000000000007.ltx',
    ]
    for (const name of bad) expect(parseFilename(name)).toBeUndefined()
  })
})

test('H4: a range is a snapshot if it starts at 1', () => {
  expect(isSnapshot({ minTXID: toTXID(1), maxTXID: toTXID(9) })).toBe(true)
  expect(isSnapshot({ minTXID: toTXID(2), maxTXID: toTXID(9) })).toBe(false)
})

test('M1: ranges are contiguous without gap and without overlap, also at the top of uint64', () => {
  const range = (min: bigint, max: bigint) => ({ minTXID: toTXID(min), maxTXID: toTXID(max) })
  expect(isContiguous(range(1n, 4n), range(5n, 5n))).toBe(true)
  expect(isContiguous(range(1n, 4n), range(6n, 6n))).toBe(false)
  expect(isContiguous(range(1n, 4n), range(4n, 6n))).toBe(false)
  expect(isContiguous(range(1n, MAX - 1n), range(MAX, MAX))).toBe(true)
  expect(isContiguous(range(1n, MAX), range(1n, MAX))).toBe(false)
})

test('H2: page sizes are the powers of two in 512..65536', () => {
  const sizes = Array.from({ length: 70000 }, (_, n) => n).filter(isPageSize)
  expect(sizes).toEqual([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536])
  for (const n of [-512, 512.5, Number.NaN, 2 ** 32 + 512]) expect(isPageSize(n)).toBe(false)
})

test('P5 T16: the lock page of every page size', () => {
  const numbers = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536].map((n) => lockPgno(n as PageSize))
  expect(numbers).toEqual([2097153, 1048577, 524289, 262145, 131073, 65537, 32769, 16385])
})
