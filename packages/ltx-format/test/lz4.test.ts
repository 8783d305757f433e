import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createKernel, isLTXError } from '@sqlstream/ltx'
import * as lz4 from '@sqlstream/ltx/lz4'
import { expect, test } from 'vitest'
import { xxh32 } from '../src/xxh32.ts'
import { pageData } from './files.ts'
import { golden, sha256 } from './golden.ts'
import { type FrameOptions, lz4Frame } from './handmade.ts'

function roundTrip(data: Uint8Array): number {
  const block = lz4.compressBlock(data)
  const output = new Uint8Array(data.byteLength)
  expect(lz4.decompressBlock(block, output)).toBe(data.byteLength)
  expect(sha256(output)).toBe(sha256(data))
  return block.byteLength
}

test('a block survives compression, whatever its length', () => {
  for (let size = 0; size <= 70; size++) {
    roundTrip(new Uint8Array(size))
    roundTrip(pageData(size, 3))
    roundTrip(pageData(size, 4))
  }
  for (const size of [254, 255, 256, 269, 270, 271, 4096, 65535, 65536]) {
    roundTrip(pageData(size, 3))
    roundTrip(pageData(size, 4))
    expect(roundTrip(new Uint8Array(size))).toBeLessThan(24 + size / 200)
  }
  expect(() => lz4.compressBlock(new Uint8Array(65537))).toThrow(RangeError)
})

test('finds a match at the greatest distance that a page allows', () => {
  const data = pageData(65536, 4)
  data.copyWithin(65000, 0, 400)
  expect(roundTrip(data)).toBeLessThan(65536)
})

test('L3: data that does not shrink becomes one run of literals', () => {
  for (const size of [1, 14, 15, 16, 269, 270, 512, 4096, 65536]) {
    const data = pageData(size, 4)
    const block = lz4.compressBlock(data)
    const extra = size < 15 ? 1 : 2 + Math.floor((size - 15) / 255)
    expect(block.byteLength).toBe(size + extra)
    expect(Buffer.from(block.subarray(extra)).equals(data)).toBe(true)
    expect(block.byteLength).toBeLessThanOrEqual(lz4.compressBound(size))
  }
})

test('the bytes of a block depend on the page alone, not on the pages before it', () => {
  const pageSize = 4096
  const kernel = createKernel({ pageSize, batchBytes: 64 * pageSize })
  const pages = Array.from({ length: 64 }, (_, i) => pageData(pageSize, (i * 7) % 23))
  for (const order of [pages, pages.toReversed()]) {
    for (const [i, data] of order.entries()) kernel.pages.set(data, i * pageSize)
    kernel.encode(64, false)
    let at = 0
    for (const [i, data] of order.entries()) {
      const frame = kernel.frames.subarray(at, at + kernel.frameSizes[i]!)
      expect(Buffer.from(frame.subarray(10)).equals(lz4.compressBlock(data))).toBe(true)
      at += frame.byteLength
    }
  }
})

test('L1: a writer leaves the last 5 bytes to literals and starts no match in the last 12', () => {
  for (let size = 13; size < 60; size++) {
    const block = lz4.compressBlock(new Uint8Array(size))
    const last = block.byteLength - 5
    expect([...block.subarray(last)]).toEqual([0, 0, 0, 0, 0])
  }
  expect(lz4.compressBlock(new Uint8Array(12)).byteLength).toBe(13)
})

test('L2: refuses match distance 0, matches before the start, and blocks that end without literals', () => {
  const output = new Uint8Array(64)
  const bad: readonly (readonly number[])[] = [
    [],
    [0x10, 1, 0, 0, 0x10, 9],
    [0x10, 1, 2, 0, 0x10, 9],
    [0x10, 1, 1, 0],
    [0x10, 1, 1],
    [0x20, 1],
    [0xf0],
    [0xf0, 255, 255],
    [0x1f, 1, 1, 0, 255],
  ]
  for (const block of bad) {
    expect(() => lz4.decompressBlock(Uint8Array.from(block), output)).toThrow(
      expect.toSatisfy((e) => isLTXError(e, 'bad-page')),
    )
  }
})

test('refuses a block longer than its output instead of cutting it', () => {
  const block = lz4.compressBlock(new Uint8Array(100))
  expect(() => lz4.decompressBlock(block, new Uint8Array(99))).toThrow()
  expect(lz4.decompressBlock(block, new Uint8Array(101))).toBe(100)
})

const frameOptions: readonly FrameOptions[] = [
  {},
  { blockChecksums: true, contentChecksum: true, contentSize: true },
  { blockSize: 300, contentChecksum: true },
  { blockSize: 300, linked: true, contentSize: true },
  { stored: true, blockSize: 1000, blockChecksums: true },
]

test.each(frameOptions)('L4: decodes a frame with %o', (options) => {
  const data = pageData(5000, 3)
  expect(sha256(lz4.decompressFrame(lz4Frame(data, options)))).toBe(sha256(data))
})

test('L4: matches of a linked block reach into the block before it', () => {
  const first = pageData(200, 4)
  // Second block: a match of 200 at distance 200, then one literal.
  const second = Uint8Array.from([0x0f, 200, 0, 200 - 4 - 15, 0x10, 7])
  const frame = lz4Frame(first, { linked: true })
  const body = frame.subarray(0, frame.byteLength - 4)
  const size = Uint8Array.of(second.byteLength, 0, 0, 0)
  const linked = Buffer.concat([body, size, second, Buffer.alloc(4)])
  expect([...lz4.decompressFrame(linked)]).toEqual([...first, ...first, 7])
  // The same blocks in a frame that says they are independent.
  const independent = lz4Frame(first)
  const wrong = Buffer.concat([independent.subarray(0, -4), size, second, Buffer.alloc(4)])
  expect(() => lz4.decompressFrame(wrong)).toThrow('malformed block')
})

test('L4: every mutated byte of a frame with all checksums is noticed, and so is every cut', () => {
  const data = pageData(700, 3)
  const frame = lz4Frame(data, {
    blockSize: 400,
    blockChecksums: true,
    contentChecksum: true,
    contentSize: true,
  })
  for (let at = 0; at < frame.byteLength; at++) {
    for (const mask of [1, 0x80, 0xff]) {
      const bytes = new Uint8Array(frame)
      bytes[at] = bytes[at]! ^ mask
      expect(() => lz4.decompressFrame(bytes), `byte ${at} ^ ${mask}`).toThrow(
        expect.toSatisfy((e) => isLTXError(e)),
      )
    }
    expect(() => lz4.decompressFrame(frame.subarray(0, at))).toThrow(expect.toSatisfy((e) => isLTXError(e)))
  }
  expect(() => lz4.decompressFrame(Buffer.concat([frame, frame]))).toThrow('followed by other bytes')
})

test('L4: a stored block of no bytes is refused, so that no end mark can be mistaken for one', () => {
  const frame = lz4Frame(pageData(100, 3))
  const padded = Buffer.concat([frame.subarray(0, -4), Uint8Array.of(0, 0, 0, 0x80), Buffer.alloc(4)])
  expect(() => lz4.decompressFrame(padded)).toThrow(expect.toSatisfy((e) => isLTXError(e, 'bad-page')))
})

test('L4: a content size that is not that of the content is refused', () => {
  const options = { contentSize: true, contentSizeError: 1 }
  expect(() => lz4.decompressFrame(lz4Frame(pageData(100, 3), options))).toThrow('content size differs')
})

test('a frame longer than maxSize is refused before it is allocated', () => {
  const frame = lz4Frame(new Uint8Array(100_000))
  expect(lz4.decompressFrame(frame, { maxSize: 100_000 }).byteLength).toBe(100_000)
  for (const bytes of [frame, lz4Frame(new Uint8Array(100_000), { stored: true })]) {
    expect(() => lz4.decompressFrame(bytes, { maxSize: 99_999 })).toThrow(
      expect.toSatisfy((e) => isLTXError(e, 'bad-page')),
    )
  }
})

test('decodes every frame of a backup that Litestream 0.3 made', () => {
  const files = readdirSync(join(golden, 'v0.3/replica'), { recursive: true, encoding: 'utf8' })
  const frames = files.filter((name) => name.endsWith('.lz4'))
  expect(frames.length).toBeGreaterThan(20)
  for (const name of frames) {
    const content = lz4.decompressFrame(readFileSync(join(golden, 'v0.3/replica', name)))
    if (name.endsWith('.snapshot.lz4')) {
      expect(new TextDecoder().decode(content.subarray(0, 15))).toBe('SQLite format 3')
      expect(content.byteLength % 4096).toBe(0)
    } else {
      // A segment is whole frames, after the WAL header if it is the first.
      expect([0, 32]).toContain(content.byteLength % 4120)
    }
  }
})

test('xxHash32 has the values that its specification gives', () => {
  expect(xxh32(new Uint8Array(0)).toString(16)).toBe('2cc5d05')
  expect(xxh32(new TextEncoder().encode('a')).toString(16)).toBe('550d7456')
  expect(xxh32(new TextEncoder().encode('abc')).toString(16)).toBe('32d153ff')
  expect(xxh32(new TextEncoder().encode('Nobody inspects the spammish repetition')).toString(16)).toBe(
    'e2293b2f',
  )
})
