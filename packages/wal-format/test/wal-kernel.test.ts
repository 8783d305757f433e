import { describe, expect, it, vi } from 'vitest'
import {
  createWALKernel,
  decodeWALHeader,
  FrameScanner,
  WAL_FRAME_HEADER_SIZE,
  WAL_HEADER_SIZE,
  type WALKernel,
} from '../src/index.ts'
import { craftWAL } from './craft.ts'
import { openDatabase, PAGE_SIZES, readFiles } from './sqlite.ts'

const backends = ['js', 'wasm'] as const

describe.each(backends)('a WAL kernel (%s)', (backend) => {
  it.each(PAGE_SIZES)('verifies a WAL that SQLite wrote with pages of %i bytes', (pageSize) => {
    const { db, path } = openDatabase(pageSize)
    db.exec('CREATE TABLE t(a)')
    const insert = db.prepare('INSERT INTO t VALUES(randomblob(?))')
    for (let i = 1; i <= 20; i++) insert.run(i * 300)
    const { wal } = readFiles(path)
    const header = decodeWALHeader(wal)
    const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
    const total = (wal.length - WAL_HEADER_SIZE) / frameSize
    const kernel = createWALKernel({ pageSize, bytes: 5 * frameSize, backend })
    const scanner = new FrameScanner({ ...header, bigEndian: header.bigEndianChecksums }, { kernel })
    const plain = new FrameScanner({ ...header, bigEndian: header.bigEndianChecksums })
    const [found, expected]: number[][][] = [[], []]
    for (let frame = 0; frame < total; frame += 5) {
      const count = Math.min(5, total - frame)
      const at = WAL_HEADER_SIZE + frame * frameSize
      kernel.frames.set(wal.subarray(at, at + count * frameSize))
      expect(scanner.scan(kernel.frames, 0, count, (...visit) => found!.push(visit))).toBe(count)
      plain.scan(wal, at, count, (...visit) => expected!.push(visit))
    }
    expect(found).toEqual(expected)
    expect(scanner.checksum).toEqual(plain.checksum)
    expect(scanner.commitChecksum).toEqual(plain.commitChecksum)
  })

  it('has room for whole frames, at least one, and tells what it is', () => {
    const room = (bytes?: number): number =>
      createWALKernel({ pageSize: 512, backend, ...(bytes !== undefined && { bytes }) }).frames.byteLength
    expect([room(0), room(535), room(536), room(1071), room(1072)]).toEqual([536, 536, 536, 536, 1072])
    expect(room()).toBe(Math.floor((1 << 20) / 536) * 536)
    expect(createWALKernel({ pageSize: 512, backend })).toMatchObject({ backend, pageSize: 512 })
  })

  it('takes any part of its memory, from any view of it, and leaves the bytes as they are', () => {
    const frames = Array.from({ length: 9 }, (_, i) => ({ pgno: i + 1, commit: i % 2 }))
    const wal = craftWAL(frames).subarray(WAL_HEADER_SIZE)
    const header = decodeWALHeader(craftWAL(frames))
    const kernel = createWALKernel({ pageSize: 512, bytes: 10 * 536, backend })
    for (const [view, offset] of [
      [kernel.frames, 0],
      [kernel.frames, 536],
      [kernel.frames, 3],
      [kernel.frames.subarray(100), 0],
      [kernel.frames.subarray(7), 4],
      [new Uint8Array(kernel.frames.buffer), kernel.frames.byteOffset + 8],
    ] as const) {
      view.set(wal, offset)
      const copy = kernel.frames.slice()
      const scanner = new FrameScanner({ ...header, bigEndian: false }, { kernel })
      expect(scanner.scan(view, offset, 9)).toBe(9)
      expect(Buffer.compare(kernel.frames, copy)).toBe(0)
    }
  })

  it('does not mind frames elsewhere: they are verified without it', () => {
    const wal = craftWAL([{ pgno: 1 }, { pgno: 2, commit: 2 }])
    const kernel = createWALKernel({ pageSize: 512, bytes: 10 * 536, backend })
    const scanner = new FrameScanner({ ...decodeWALHeader(wal), bigEndian: false }, { kernel })
    kernel.frames.set(wal.subarray(WAL_HEADER_SIZE))
    // Frame by frame from either place.
    expect(scanner.scan(wal, WAL_HEADER_SIZE, 1)).toBe(1)
    expect(scanner.scan(kernel.frames, 536, 1)).toBe(1)
    expect([scanner.lastCommitFrame, scanner.commit]).toEqual([1, 2])
  })

  it('serves one scanner after another, and two by turns', () => {
    const kernel = createWALKernel({ pageSize: 512, bytes: 8 * 536, backend })
    const wals = [
      { wal: craftWAL([{ pgno: 1 }, { pgno: 2, commit: 2 }]), bigEndian: false, at: 0 },
      {
        wal: craftWAL([{ pgno: 3 }, { pgno: 4, commit: 9 }], { bigEndian: true, salt1: 5 }),
        bigEndian: true,
        at: 4 * 536,
      },
    ]
    const scanners = wals.map(({ wal, bigEndian, at }) => {
      kernel.frames.set(wal.subarray(WAL_HEADER_SIZE), at)
      return new FrameScanner({ ...decodeWALHeader(wal), bigEndian }, { kernel })
    })
    for (let frame = 0; frame < 2; frame++) {
      for (const [i, scanner] of scanners.entries()) {
        expect(scanner.scan(kernel.frames, wals[i]!.at + frame * 536, 1)).toBe(1)
      }
    }
    expect(scanners.map(({ commit }) => commit)).toEqual([2, 9])
    expect([...scanners[0]!.commitChecksum]).not.toEqual([...scanners[1]!.commitChecksum])
  })

  it('refuses a range outside the bytes that it is given, though they lie in a larger memory', () => {
    const wal = craftWAL([{ pgno: 1, commit: 1 }])
    const kernel = createWALKernel({ pageSize: 512, bytes: 4 * 536, backend })
    const scanner = new FrameScanner({ ...decodeWALHeader(wal), bigEndian: false }, { kernel })
    for (const [offset, frames] of [
      [0, 2],
      [1, 1],
      [-536, 1],
      [0, -1],
    ] as const) {
      expect(() => scanner.scan(kernel.frames.subarray(536, 1072), offset, frames)).toThrow(RangeError)
    }
  })
})

describe('createWALKernel', () => {
  it('makes a WebAssembly kernel unless it is told otherwise', () => {
    expect(createWALKernel({ pageSize: 4096 }).backend).toBe('wasm')
    expect(createWALKernel({ pageSize: 4096, backend: 'auto' }).backend).toBe('wasm')
  })

  it('does without WebAssembly where there is none, unless that is asked for', () => {
    const missing = vi.spyOn(WebAssembly, 'Memory').mockImplementation(() => {
      throw new RangeError('could not allocate memory')
    })
    try {
      expect(createWALKernel({ pageSize: 4096 }).backend).toBe('js')
      expect(() => createWALKernel({ pageSize: 4096, backend: 'wasm' })).toThrow('could not allocate memory')
    } finally {
      missing.mockRestore()
    }
    expect(createWALKernel({ pageSize: 4096 }).backend).toBe('wasm')
  })

  it('refuses what is no page size or no room', () => {
    for (const backend of [...backends, 'auto'] as const) {
      expect(() => createWALKernel({ pageSize: 1000 as 1024, backend })).toThrow(RangeError)
      for (const bytes of [-1, Number.NaN, 2 ** 31]) {
        expect(() => createWALKernel({ pageSize: 512, bytes, backend })).toThrow(RangeError)
      }
    }
  })

  it('a scanner refuses a kernel for another page size', () => {
    const { pageSize: _, ...header } = decodeWALHeader(craftWAL([]))
    const kernel: WALKernel = createWALKernel({ pageSize: 1024, bytes: 0 })
    expect(() => new FrameScanner({ ...header, pageSize: 512, bigEndian: false }, { kernel })).toThrow(
      RangeError,
    )
  })
})
