import {
  Decoder,
  isLTXError,
  type LTXErrorCode,
  type RandomAccessFile,
  readHeader,
  readPage,
  readPageIndex,
} from '@sqlstream/ltx'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readSize } from '../src/big-endian.ts'
import { decodePageIndex, PageIndexWriter } from '../src/page-index.ts'
import { VarintReader, writeVarint } from '../src/varint.ts'
import { header, makeFile, memoryFile, page, pageData, pageRange } from './files.ts'
import { goldenSets, readGolden, readManifest, streamOf } from './golden.ts'
import { lz4Frame } from './handmade.ts'

const refused = (code: LTXErrorCode) => expect.toSatisfy((e: unknown) => isLTXError(e, code))
const borders = [
  0,
  1,
  127,
  128,
  16383,
  16384,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 1,
  2 ** 32,
  2 ** 49,
  2 ** 53 - 2,
  2 ** 53 - 1,
]

describe('varints', () => {
  test('I1 T49: survive at every border, in minimal length', () => {
    fc.assert(
      fc.property(fc.oneof(fc.constantFrom(...borders), fc.nat(), fc.maxSafeNat()), (value) => {
        const bytes = new Uint8Array(10)
        const size = writeVarint(bytes, 0, value)
        const reader = new VarintReader(bytes, 0, size)
        expect(reader.next()).toBe(value)
        expect(reader.at).toBe(size)
        expect(size).toBe(Math.max(1, Math.ceil(BigInt(value).toString(2).length / 7)))
        expect(new VarintReader(bytes, 0, size - 1).next()).toBe(-1)
      }),
    )
  })

  test('N2 I3: too long, too large and padded ones are refused, and none is read for ever', () => {
    const read = (...bytes: number[]) => new VarintReader(Uint8Array.from(bytes), 0, bytes.length).next()
    // 2^53 - 1, and one more.
    expect(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x0f)).toBe(2 ** 53 - 1)
    expect(read(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10)).toBe(-1)
    expect(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x1f)).toBe(-1)
    expect(read(0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01)).toBe(-1)
    expect(read(0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01)).toBe(-1)
    expect(read(0x81, 0x00)).toBe(-1)
    expect(read(0x80, 0x00)).toBe(-1)
    expect(read(...new Array<number>(100).fill(0x80))).toBe(-1)
    expect(read()).toBe(-1)
  })
})

test('N2 T49: a uint64 is read as a number up to 2^53 - 1 and not at all above', () => {
  const view = new DataView(new ArrayBuffer(8))
  for (const value of [0n, 2n ** 31n, 2n ** 32n - 1n, 2n ** 32n, 2n ** 53n - 1n]) {
    view.setBigUint64(0, value)
    expect(readSize(view, 0)).toBe(Number(value))
  }
  for (const value of [2n ** 53n, 2n ** 53n + 1n, 2n ** 63n, 2n ** 64n - 1n]) {
    view.setBigUint64(0, value)
    expect(readSize(view, 0)).toBeUndefined()
  }
})

describe('page index', () => {
  test('T49: page numbers and offsets beyond 2^31 and 2^32 survive', () => {
    const size = 0xffff_ffff
    const pgnos = [1, 2, 3, 0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff]
    const writer = new PageIndexWriter()
    pgnos.forEach((pgno, i) => void writer.add(pgno, 100 + i * size, size))
    const index = decodePageIndex(writer.finish(), 100 + pgnos.length * size + 6)
    for (const [i, pgno] of pgnos.entries()) {
      expect(index.at(i)).toEqual({ pgno, offset: 100 + i * size, size })
      expect(index.find(pgno)).toEqual(index.at(i))
    }
    expect(index.find(4)).toBeUndefined()
    expect(index.find(0)).toBeUndefined()
    expect(() => index.at(7)).toThrow(RangeError)
  })

  const entries = (...numbers: number[]): Uint8Array => {
    const bytes = new Uint8Array(200)
    return bytes.subarray(
      0,
      numbers.reduce((at, n) => writeVarint(bytes, at, n), 0),
    )
  }
  const bad: readonly [string, Uint8Array, number][] = [
    ['I2: no terminator', entries(1, 100, 20), 126],
    ['I2: bytes after the terminator', entries(1, 100, 20, 0, 0), 126],
    ['I2: a terminator within', entries(0, 1, 100, 20), 126],
    ['I1: half an entry', entries(1, 100, 0), 126],
    ['P3: pages out of order', entries(2, 100, 20, 1, 120, 20, 0), 146],
    ['P3: a page twice', entries(2, 100, 20, 2, 120, 20, 0), 146],
    ['P3: a page number beyond 32 bits', entries(2 ** 32, 100, 20, 0), 126],
    ['I3: a frame that starts in the header', entries(1, 99, 20, 0), 125],
    ['I3: a gap between frames', entries(1, 100, 20, 2, 121, 20, 0), 147],
    ['I3: frames that overlap', entries(1, 100, 20, 2, 119, 20, 0), 145],
    ['I3: frames that end before the end mark', entries(1, 100, 20, 0), 127],
    ['I3: frames that reach into the index', entries(1, 100, 20, 0), 125],
    ['I3: a frame too short for its header', entries(1, 100, 6, 0), 112],
    ['I3: a varint longer than needed', Uint8Array.of(0x81, 0, 100, 20, 0), 126],
    ['I1: a varint that never ends', Uint8Array.of(1, 100, ...new Array<number>(20).fill(0xff), 1, 0), 126],
    ['I2: nothing at all', new Uint8Array(0), 106],
  ]

  test.each(bad)('%s is refused', (_, bytes, start) => {
    expect(() => decodePageIndex(bytes, start)).toThrow(refused('bad-index'))
  })
})

describe('random access', () => {
  const pages = pageRange(1, 5000).filter(({ pgno }) => pgno % 2 === 0)
  const big = makeFile(header(2, 2, 5000), pages)

  test('finds every page with a header read, at most two reads for the index, and one read each', async () => {
    const file = memoryFile(big)
    expect(await readHeader(file)).toEqual(header(2, 2, 5000))
    const index = await readPageIndex(file)
    expect(file.reads.length).toBeLessThanOrEqual(3)
    expect(index.count).toBe(2500)
    for (const pgno of [2, 4, 2500, 4998, 5000]) {
      expect(await readPage(file, index.find(pgno)!, 512)).toEqual(page(pgno))
    }
    expect(index.find(3)).toBeUndefined()
    expect(file.reads.length).toBeLessThanOrEqual(3 + 5)
    const small = memoryFile(makeFile(header(2, 2, 9), [page(3)]))
    await readPageIndex(small)
    expect(small.reads.length).toBe(1)
  })

  test('agrees with the decoder on every golden file', async () => {
    for (const { name } of goldenSets) {
      for (const { path } of readManifest(name).files) {
        const bytes = readGolden(name, 'replica', path)
        const file = memoryFile(bytes)
        const index = await readPageIndex(file)
        const decoder = await Decoder.open(streamOf(bytes))
        let i = 0
        for await (const expected of decoder) {
          const entry = index.at(i++)
          expect(entry.pgno).toBe(expected.pgno)
          expect(await readPage(file, entry, decoder.header.pageSize)).toEqual(expected)
        }
        await decoder.finish()
        expect(i).toBe(index.count)
      }
    }
  })

  test('reads pages of the older kind', async () => {
    const frame = Buffer.concat([Uint8Array.of(0, 0, 0, 3, 0, 0), lz4Frame(pageData(512, 3))])
    const file = memoryFile(frame)
    expect(await readPage(file, { pgno: 3, offset: 0, size: frame.byteLength }, 512)).toEqual(page(3))
    const longer = memoryFile(Buffer.concat([frame, Buffer.alloc(3)]))
    await expect(readPage(longer, { pgno: 3, offset: 0, size: frame.byteLength + 3 }, 512)).rejects.toEqual(
      refused('bad-page'),
    )
  })

  test('T1: truncation at every offset is refused', async () => {
    const whole = makeFile(header(2, 2, 9), [page(3), page(5)])
    for (let size = 0; size < whole.byteLength; size++) {
      const file = memoryFile(whole.subarray(0, size))
      if (size < 100) await expect(readHeader(file)).rejects.toEqual(refused('truncated'))
      await expect(readPageIndex(file), `${size}`).rejects.toSatisfy((e) => isLTXError(e))
    }
  })

  test('refuses an index size beyond the file or 2^53, and reads that come back short', async () => {
    const whole = new Uint8Array(makeFile(header(2, 2, 9), [page(3)]))
    const view = new DataView(whole.buffer)
    for (const size of [BigInt(whole.byteLength), 2n ** 53n, 2n ** 64n - 1n, 0n]) {
      view.setBigUint64(whole.byteLength - 24, size)
      await expect(readPageIndex(memoryFile(whole))).rejects.toEqual(refused('bad-index'))
    }
    const short = { size: 5000, read: async () => new Uint8Array(10) }
    await expect(readHeader(short)).rejects.toEqual(refused('truncated'))
    await expect(readPageIndex(short)).rejects.toEqual(refused('truncated'))
  })

  test('refuses an entry that does not fit what lies there', async () => {
    const bytes = new Uint8Array(makeFile(header(2, 2, 9), [page(3), page(5)]))
    const file = memoryFile(bytes)
    const index = await readPageIndex(file)
    const entry = index.at(0)
    await expect(readPage(file, { ...entry, pgno: 4 }, 512)).rejects.toEqual(refused('bad-index'))
    await expect(readPage(file, { ...entry, size: entry.size - 1 }, 512)).rejects.toEqual(refused('bad-page'))
    await expect(readPage(file, { ...entry, size: 5 }, 512)).rejects.toEqual(refused('bad-page'))
    await expect(readPage(file, { ...entry, size: 2 ** 31 }, 512)).rejects.toEqual(refused('bad-page'))
    await expect(readPage(file, entry, 1024)).rejects.toEqual(refused('bad-page'))
    bytes[105] = 3
    await expect(readPage(file, entry, 512)).rejects.toEqual(refused('bad-page'))
  })

  test('passes its signal on and stops when it is aborted', async () => {
    const reason = new Error('enough')
    const signal = AbortSignal.abort(reason)
    await expect(readHeader(memoryFile(big), { signal })).rejects.toBe(reason)
    await expect(readPageIndex(memoryFile(big), { signal })).rejects.toBe(reason)
    const controller = new AbortController()
    let seen: AbortSignal | undefined
    const file = memoryFile(big)
    const watched: RandomAccessFile = {
      size: file.size,
      read: (offset, length, options) => {
        seen = options?.signal
        return file.read(offset, length)
      },
    }
    await readHeader(watched, { signal: controller.signal })
    expect(seen).toBe(controller.signal)
  })
})
