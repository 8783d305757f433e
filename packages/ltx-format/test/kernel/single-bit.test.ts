import type { PageKernel, PageSize } from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { type Backend, backends, kernelOf, pageSizes } from './backends.ts'
import { Random } from './random.ts'
import { addBytes, bitEffects, finished, fresh } from './reference.ts'

/*
 * A CRC is linear, so the checksum of a message with one bit flipped is that of the message XOR what the bit alone does, which
 * bitEffects knows. A checksum that works in strides of 64, 128 or 256 bytes goes wrong at the edges first, and only
 * for some bits there: so every bit of the small sizes is tried, and of the large ones every bit near the ends and round the
 * edges of every 2048 bytes, and one bit of every seventh byte between.
 */

/** The bits of a message of `size` bytes that are tried. */
function bitsOf(size: number): number[] {
  const bits: number[] = []
  for (let byte = 0; byte < size; byte++) {
    const nearEnd = byte < 300 || byte >= size - 300
    const nearEdge = (byte + 8) % 64 < 16
    if (size <= 4096 || nearEnd) for (let bit = 0; bit < 8; bit++) bits.push(8 * byte + bit)
    else if (nearEdge && byte % 2048 < 72) for (let bit = 0; bit < 8; bit++) bits.push(8 * byte + bit)
    else if (byte % 7 === 0) bits.push(8 * byte + ((byte * 5) % 8))
  }
  return bits
}

function flip(bytes: Uint8Array, bit: number): void {
  bytes[bit >> 3] = bytes[bit >> 3]! ^ (1 << (bit & 7))
}

describe.each(backends)('the %s kernel sees each single bit', (backend) => {
  test('of what is hashed: strides, tails of 0..15 bytes, all alignments', () => {
    const random = new Random(7)
    const kernel = kernelOf(backend, 512, 1)
    const outside = new Uint8Array(2200)
    random.fill(outside)
    let tried = 0
    for (const blocks of [0, 1, 2, 3, 4, 5, 8, 16]) {
      for (const tail of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 63, 64, 65, 127]) {
        const size = 128 * blocks + tail
        const start = tried % 16
        const inside = tried % 3 === 0 && size <= 500
        if (inside) kernel.pages.set(outside.subarray(0, 512))
        const bytes = (inside ? kernel.pages : outside).subarray(start, start + size)
        const effects = bitEffects(size)
        const plain = fresh()
        addBytes(plain, bytes)
        for (let bit = 0; bit < 8 * size; bit++) {
          flip(bytes, bit)
          kernel.reset()
          kernel.hash(bytes)
          flip(bytes, bit)
          const expected = Uint32Array.of(plain[0]! ^ effects[2 * bit]!, plain[1]! ^ effects[2 * bit + 1]!)
          if (kernel.digest() !== finished(expected)) expect.fail(`bit ${bit} of ${size} bytes from ${start}`)
          tried++
        }
      }
    }
    expect(tried).toBeGreaterThan(800_000)
  })

  test.each(pageSizes)('of a page of %i bytes, in encode, decode and checksumPages', (pageSize) => {
    for (const [name, page] of [
      ['zeros', new Uint8Array(pageSize)] as const,
      ['noise', noise(pageSize)] as const,
    ]) {
      expect(wrongBits(backend, pageSize, page), name).toEqual([])
    }
  })

  test('of a page number, in encode, decode and checksumPages', () => {
    const kernel = kernelOf(backend, 512, 33)
    kernel.pgnos[0] = 0
    for (let bit = 0; bit < 32; bit++) kernel.pgnos[1 + bit] = 2 ** bit
    const numbers = kernel.pgnos.slice()
    const expected = [...numbers].map((pgno) => {
      const words = fresh()
      addBytes(words, Uint8Array.of(pgno >>> 24, pgno >>> 16, pgno >>> 8, pgno))
      addBytes(words, new Uint8Array(512))
      return finished(words) | (1n << 63n)
    })
    kernel.checksumPages(33)
    expect(sumsOf(kernel, 33)).toEqual(expected)
    kernel.pageSums.fill(0)
    const size = kernel.encode(33, true)
    expect(sumsOf(kernel, 33)).toEqual(expected)
    kernel.pageSums.fill(0)
    kernel.pgnos.fill(0)
    const first = kernel.frameSizes[0]!
    kernel.frames.copyWithin(0, first, size)
    expect(kernel.decode(size - first, 33, true)).toMatchObject({ pages: 32, consumed: size - first })
    expect(sumsOf(kernel, 32)).toEqual(expected.slice(1))
    expect([...kernel.pgnos.subarray(0, 32)]).toEqual([...numbers.subarray(1)])
  })
})

function noise(size: number): Uint8Array {
  const page = new Uint8Array(size)
  new Random(8).fill(page)
  return page
}

function sumsOf({ pageSums }: PageKernel, count: number): bigint[] {
  return Array.from(
    { length: count },
    (_, i) => (BigInt(pageSums[2 * i + 1]!) << 32n) | BigInt(pageSums[2 * i]!),
  )
}

/** Bits of `page` that one of the sums of a flipped page has wrong, with the name of the sum. */
function wrongBits(backend: Backend, pageSize: PageSize, page: Uint8Array): string[] {
  const wrong: string[] = []
  const capacity = Math.max(3, 65536 / pageSize)
  const kernel = kernelOf(backend, pageSize, capacity)
  const { pages, pgnos, pageSums, dataSums } = kernel
  const bits = bitsOf(pageSize)
  const effects = bitEffects(pageSize)
  const data = Uint32Array.of(0, 0)
  addBytes(data, page)
  const number = fresh()
  addBytes(number, Uint8Array.of(0x12, 0x34, 0x56, 0x78))
  addBytes(number, page)
  const check = (from: number, count: number, sum: string): void => {
    for (let i = 0; i < count; i++) {
      const bit = bits[from + i]!
      const low = effects[2 * bit]!
      const high = effects[2 * bit + 1]!
      const pageSum =
        pageSums[2 * i] === ~(number[0]! ^ low) >>> 0 &&
        pageSums[2 * i + 1] === (~(number[1]! ^ high) | (1 << 31)) >>> 0
      const dataSum =
        dataSums[2 * i] === (data[0]! ^ low) >>> 0 && dataSums[2 * i + 1] === (data[1]! ^ high) >>> 0
      if (!pageSum) wrong.push(`${sum}: page sum for bit ${bit}`)
      if (!dataSum && sum !== 'checksumPages') wrong.push(`${sum}: data sum for bit ${bit}`)
    }
    pageSums.fill(0)
    dataSums.fill(0)
  }
  /** The file checksum after the pages, without tracking and with it: two different ways through the kernel. */
  const fileSum = (untracked: bigint, tracked: bigint, from: number, step: string): void => {
    if (untracked !== tracked) wrong.push(`${step}: file checksum for bits from ${bits[from]}`)
  }
  pgnos.fill(0x1234_5678)
  for (let from = 0; from < bits.length && wrong.length < 10; from += capacity) {
    const count = Math.min(capacity, bits.length - from)
    for (let i = 0; i < count; i++) {
      pages.set(page, i * pageSize)
      flip(pages.subarray(i * pageSize), bits[from + i]!)
    }
    kernel.checksumPages(count)
    check(from, count, 'checksumPages')
    kernel.reset()
    kernel.encode(count, false)
    const untracked = kernel.digest()
    kernel.reset()
    const size = kernel.encode(count, true)
    check(from, count, 'encode')
    fileSum(untracked, kernel.digest(), from, 'encode')
    if (from === 0) {
      const plain = fresh()
      for (let i = 0, at = 0; i < count; at += kernel.frameSizes[i++]!) {
        addBytes(plain, kernel.frames, at, at + 10)
        addBytes(plain, pages, i * pageSize, (i + 1) * pageSize)
      }
      fileSum(untracked, finished(plain), from, 'encode, by the reference')
    }
    pages.fill(0xee)
    kernel.reset()
    kernel.decode(size, count, false)
    fileSum(untracked, kernel.digest(), from, 'decode without tracking')
    pages.fill(0xee)
    kernel.reset()
    kernel.decode(size, count, true)
    check(from, count, 'decode')
    fileSum(untracked, kernel.digest(), from, 'decode')
  }
  return wrong
}
