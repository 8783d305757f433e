import { checksumPage, crc64, crc64Combine } from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { type Backend, backends, kernelOf } from './backends.ts'
import { Random } from './random.ts'
import { addBits, addBytes, bitEffects, fresh, plainCrc, slowCrc } from './reference.ts'

const text = (s: string): Uint8Array => new TextEncoder().encode(s)

/** Prefixes of the alphabet, as the standard library of Go tests its ISO table. */
const known: readonly (readonly [string, bigint])[] = [
  ['', 0n],
  ['a', 0x3420_0000_0000_0000n],
  ['ab', 0x36c4_2000_0000_0000n],
  ['abc', 0x3776_c420_0000_0000n],
  ['abcd', 0x3367_76c4_2000_0000n],
  ['abcde', 0x32d3_6776_c420_0000n],
  ['abcdef', 0x3002_d367_76c4_2000n],
  ['abcdefg', 0x31b0_02d3_6776_c420n],
  ['abcdefgh', 0x0e21_b002_d367_76c4n],
  ['abcdefghi', 0x8b6e_21b0_02d3_6776n],
  ['abcdefghij', 0x7f5b_6e21_b002_d367n],
  ['123456789', 0xb909_56c7_75a4_1001n],
]

function hashed(backend: Backend, parts: readonly Uint8Array[]): bigint {
  const kernel = kernelOf(backend, 512, 1)
  for (const part of parts) kernel.hash(part)
  return kernel.digest()
}

describe('the reference itself', () => {
  test('C1: has the known values, bit by bit and byte by byte', () => {
    for (const [word, crc] of known) {
      expect(slowCrc(text(word))).toBe(crc)
      expect(plainCrc(text(word))).toBe(crc)
    }
  })

  test('its bytes are its bits, and flipping a bit changes what bitEffects says', () => {
    const bytes = new Uint8Array(70)
    new Random(1).fill(bytes)
    const [bits, whole] = [fresh(), fresh()]
    addBits(bits, bytes)
    addBytes(whole, bytes)
    expect(whole).toEqual(bits)
    const effects = bitEffects(bytes.byteLength)
    for (let bit = 0; bit < 8 * bytes.byteLength; bit++) {
      bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
      const flipped = fresh()
      addBits(flipped, bytes)
      bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
      expect([flipped[0]! ^ bits[0]!, flipped[1]! ^ bits[1]!]).toEqual([
        effects[2 * bit]! | 0,
        effects[2 * bit + 1]! | 0,
      ])
    }
  })
})

describe.each(backends)('hash of the %s kernel', (backend) => {
  test('C1: has the known values', () => {
    for (const [word, crc] of known) {
      expect(hashed(backend, [text(word)]), word).toBe(crc)
      expect(crc64(text(word)), word).toBe(crc)
    }
  })

  test('is right at every length round each stride and for each alignment, outside its memory and inside', () => {
    const random = new Random(2)
    const kernel = kernelOf(backend, 4096, 1)
    const outside = new Uint8Array(4096)
    random.fill(outside)
    kernel.pages.set(outside)
    kernel.frames.set(outside)
    const edges = [0, 64, 128, 192, 256, 320, 384, 512, 640, 768, 1024, 2048, 3072]
    const lengths = new Set(edges.flatMap((edge) => Array.from({ length: 34 }, (_, i) => edge + i - 17)))
    for (const length of lengths) {
      if (length < 0) continue
      for (let start = 0; start < 17; start++) {
        const expected = plainCrc(outside.subarray(start, start + length))
        for (const from of [outside, kernel.pages, kernel.frames]) {
          kernel.reset()
          kernel.hash(from.subarray(start, start + length))
          if (kernel.digest() !== expected) expect.fail(`${length} bytes from ${start}`)
        }
      }
    }
  })

  test('does not touch pages, frames or sums, whatever the length, and does not depend on how bytes are cut', () => {
    const random = new Random(3)
    const bytes = new Uint8Array(3_000_000)
    random.fill(bytes)
    const expected = plainCrc(bytes)
    const kernel = kernelOf(backend, 512, 4)
    const { pages, frames, pgnos, frameSizes, pageSums, dataSums } = kernel
    const all = [pages, frames, pgnos, frameSizes, pageSums, dataSums]
    for (const view of all) view.fill(0xa7)
    kernel.hash(bytes)
    expect(kernel.digest()).toBe(expected)
    kernel.reset()
    for (let at = 0; at < bytes.byteLength; ) {
      const next = at + random.below(random.pick([3, 20, 300, 5000, 200_000]))
      kernel.hash(bytes.subarray(at, next))
      at = next
    }
    expect(kernel.digest()).toBe(expected)
    for (const view of all) expect(view.every((value) => value === 0xa7)).toBe(true)
  })

  test('joins with append what was hashed elsewhere, at any cuts', () => {
    const random = new Random(4)
    const kernel = kernelOf(backend, 512, 1)
    for (let round = 0; round < 3000; round++) {
      const bytes = new Uint8Array(random.below(random.pick([10, 300, 3000])))
      random.fill(bytes)
      kernel.reset()
      for (let at = 0; at < bytes.byteLength || random.oneIn(2); ) {
        const part = bytes.subarray(at, at + random.below(random.pick([4, 40, 1000])))
        if (random.oneIn(2)) kernel.hash(part)
        else kernel.append(plainCrc(part), part.byteLength)
        at += part.byteLength
      }
      if (kernel.digest() !== plainCrc(bytes)) expect.fail(`round ${round}`)
    }
  })
})

describe('crc64Combine', () => {
  test('joins random parts in any grouping', () => {
    const random = new Random(5)
    for (let round = 0; round < 3000; round++) {
      const parts = Array.from({ length: 3 }, () => new Uint8Array(random.below(random.pick([3, 70, 700]))))
      for (const part of parts) random.fill(part)
      const whole = plainCrc(Buffer.concat(parts))
      const [a, b, c] = parts.map(plainCrc) as [bigint, bigint, bigint]
      const [, second, third] = parts.map((part) => part.byteLength) as [number, number, number]
      const left = crc64Combine(crc64Combine(a, b, second), c, third)
      const right = crc64Combine(a, crc64Combine(b, c, third), second + third)
      if (left !== whole || right !== whole) expect.fail(`round ${round}`)
    }
  })

  test('knows lengths up to 2^53 - 1: zero bytes move a state as multiplying by x^8 so many times does', () => {
    // One byte is known from the reference, each further power of two from two halves.
    const zeros = (crc: bigint, length: number): bigint => crc64Combine(crc, 0n, length)
    const a = crc64(text('a'))
    const one = Uint32Array.of(Number(a & 0xffff_ffffn), Number(a >> 32n))
    addBits(one, new Uint8Array(1))
    expect(zeros(a, 1)).toBe((BigInt(one[1]!) << 32n) | BigInt(one[0]!))
    for (let power = 0; power < 52; power++) {
      const half = 2 ** power
      expect(zeros(zeros(a, half), half), `2^${power}`).toBe(zeros(a, 2 * half))
    }
    // 2^53 - 1 is all the powers below: 1 + 2 + 4 + …
    let stepwise = a
    for (let power = 0; power < 53; power++) stepwise = zeros(stepwise, 2 ** power)
    expect(zeros(a, 2 ** 53 - 1)).toBe(stepwise)
    for (const length of [2 ** 53, -1, 1.5, Number.NaN]) {
      expect(() => crc64Combine(a, 0n, length)).toThrow(RangeError)
    }
  })
})

test('C2: checksumPage is the plain CRC of number and data, flag bit set', () => {
  const random = new Random(6)
  for (let round = 0; round < 500; round++) {
    const data = new Uint8Array(random.pick([512, 1024, 4096]))
    random.fill(data)
    const pgno = random.oneIn(2) ? random.word() : random.below(1000)
    const number = Uint8Array.of(pgno >>> 24, pgno >>> 16, pgno >>> 8, pgno)
    expect(checksumPage({ pgno, data })).toBe(plainCrc(Buffer.concat([number, data])) | (1n << 63n))
  }
})
