import { checksumPage, crc64, crc64Combine, createKernel, formatChecksum } from '@sqlstream/ltx'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { page, pageData } from './files.ts'

/** Bit by bit, as the definition says. */
function reference(bytes: Uint8Array, seed = 0n): bigint {
  let state = BigInt.asUintN(64, ~seed)
  for (const byte of bytes) {
    state ^= BigInt(byte)
    for (let bit = 0; bit < 8; bit++)
      state = state & 1n ? (state >> 1n) ^ 0xd800_0000_0000_0000n : state >> 1n
  }
  return BigInt.asUintN(64, ~state)
}

const text = (s: string) => new TextEncoder().encode(s)

describe('crc64', () => {
  test('C1: has the check value of CRC-64/GO-ISO', () => {
    expect(crc64(text('123456789')).toString(16)).toBe('b90956c775a41001')
    expect(crc64(new Uint8Array(0))).toBe(0n)
  })

  test('agrees with the definition at every length round its strides and at every alignment', () => {
    const pool = pageData(2048, 4)
    for (let length = 0; length <= 1100; length += length % 64 < 3 || length % 64 > 61 ? 1 : 7) {
      for (const start of [0, 1, 2, 3, 4, 5]) {
        const bytes = pool.subarray(start, start + length)
        expect(crc64(bytes)).toBe(reference(bytes))
      }
    }
  })

  test('sees every single bit of a page: the edges of the 256-byte stride', () => {
    const bytes = new Uint8Array(1024)
    for (let bit = 0; bit < bytes.length * 8; bit += 3) {
      bytes[bit >> 3] = 1 << (bit & 7)
      expect(crc64(bytes)).toBe(reference(bytes))
      bytes[bit >> 3] = 0
    }
  })

  test('continues from a seed and joins parts computed apart', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 900 }), fc.uint8Array({ maxLength: 900 }), (a, b) => {
        const whole = crc64(new Uint8Array([...a, ...b]))
        expect(crc64(b, crc64(a))).toBe(whole)
        expect(crc64Combine(crc64(a), crc64(b), b.length)).toBe(whole)
      }),
      { numRuns: 60 },
    )
  })

  test('joins over lengths beyond 32 bits', () => {
    // x^(8n) for n = 2^40 in two steps of 2^39 is the same as in one.
    const a = crc64(text('a'))
    const half = crc64Combine(a, 0n, 2 ** 39)
    expect(crc64Combine(half, 0n, 2 ** 39)).toBe(crc64Combine(a, 0n, 2 ** 40))
    let quarters = a
    for (let i = 0; i < 4; i++) quarters = crc64Combine(quarters, 0n, 2 ** 31)
    expect(crc64Combine(a, 0n, 2 ** 33)).toBe(quarters)
    expect(() => crc64Combine(a, 0n, 2 ** 53)).toThrow(RangeError)
  })
})

describe('page checksums', () => {
  test('C2: cover the page number, big-endian, and the data, with bit 63 set', () => {
    for (const pgno of [1, 2, 255, 65536, 0x0102_0304, 0xffff_ffff]) {
      const { data } = page(pgno, 512, pgno % 7)
      const prefix = Uint8Array.of(pgno >>> 24, pgno >>> 16, pgno >>> 8, pgno)
      const expected = reference(new Uint8Array([...prefix, ...data])) | (1n << 63n)
      expect(checksumPage({ pgno, data })).toBe(expected)
    }
  })

  test.each([512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] as const)(
    'of a kernel for pages of %i equal those of single pages, computed alone, in encode and in decode',
    (pageSize) => {
      const kernel = createKernel({ pageSize, batchBytes: 3 * pageSize })
      const pages = [1, 0x1234_5678, 0xffff_fffe].map((pgno, i) => page(pgno, pageSize, i + 3))
      const expected = pages.map((p) => formatChecksum(checksumPage(p)))
      const put = (): void => {
        pages.forEach(({ pgno, data }, i) => {
          kernel.pgnos[i] = pgno
          kernel.pages.set(data, i * pageSize)
        })
        kernel.pageSums.fill(0)
      }
      const sums = (): string[] =>
        pages.map((_, i) => {
          const [low, high] = kernel.pageSums.subarray(2 * i)
          return formatChecksum(((BigInt(high!) << 32n) | BigInt(low!)) as never)
        })
      put()
      kernel.checksumPages(3)
      expect(sums()).toEqual(expected)
      put()
      kernel.reset()
      const size = kernel.encode(3, true)
      expect(sums()).toEqual(expected)
      const tracked = kernel.digest()
      kernel.reset()
      kernel.encode(3, false)
      expect(kernel.digest()).toBe(tracked)
      for (const track of [true, false]) {
        kernel.reset()
        kernel.pages.fill(0)
        kernel.pageSums.fill(0)
        expect(kernel.decode(size, 3, track)).toEqual({
          pages: 3,
          consumed: size,
          end: false,
          hashed: 3 * (10 + pageSize),
        })
        expect(kernel.digest()).toBe(tracked)
        if (track) expect(sums()).toEqual(expected)
      }
    },
  )
})
