import { WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from '@sqlstream/wal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { FrameTable } from '../../src/capture/frame-table.ts'
import { type ScannedFrames, WALScan } from '../../src/capture/scan.ts'
import { frameOffset } from '../../src/sqlite/wal-end.ts'
import type { WALPosition } from '../../src/state/position.ts'
import { type Frame, MemoryFiles } from '../support/wal-file.ts'

const FRAME = WAL_FRAME_HEADER_SIZE + 512
const THREE: readonly Frame[] = [
  { pgno: 1 },
  { pgno: 2, commit: 2 },
  { pgno: 3, commit: 3 },
  { pgno: 1 },
  { pgno: 4, commit: 4 },
]

function at(files: MemoryFiles, frame: number): WALPosition {
  return { salt1: 11, salt2: 22, frame, ...files.checksumAt(frame) }
}

function scan(
  files: MemoryFiles,
  visible: number,
  options: { from?: number; cutBytes?: number } = {},
): ScannedFrames & { table: FrameTable } {
  const table = new FrameTable()
  const scanner = new WALScan(files.files, files.pageSize)
  const result = scanner.scan(at(files, options.from ?? 0), files.index(visible), table, options.cutBytes)
  return { ...result, table }
}

const DISCONTINUOUS = expect.objectContaining({ name: 'PrimaryError', code: 'wal-discontinuous' })

describe('a stretch of the WAL', () => {
  it('is read up to the commit that the wal-index names', () => {
    const files = new MemoryFiles()
    files.write(THREE)
    const all = scan(files, 5)
    expect(all).toMatchObject({ from: 0, end: at(files, 5), commit: 4, minCommit: 2, complete: true })
    expect([...all.table.pages()].map((pgno) => [pgno, all.table.get(pgno)])).toEqual([
      [1, 4],
      [2, 2],
      [3, 3],
      [4, 5],
    ])
    expect(all.bytes).toHaveLength(5 * FRAME)
    const rest = scan(files, 5, { from: 2 })
    expect(rest).toMatchObject({ from: 2, end: at(files, 5), commit: 4, minCommit: 3 })
    expect([...rest.table.pages()]).toEqual([1, 3, 4])
  })

  it('R1: what a dead writer left behind mxFrame is not read, however valid it is', () => {
    const files = new MemoryFiles()
    // Frames 4 and 5 are a whole transaction with right salts and checksums, but nobody will ever see it.
    files.write(THREE)
    files.reads.length = 0
    const seen = scan(files, 3)
    expect(seen).toMatchObject({ end: at(files, 3), commit: 3, complete: true })
    expect([...seen.table.pages()]).toEqual([1, 2, 3])
    const last = Math.max(...files.reads.map(({ offset, length }) => offset + length))
    expect(last).toBe(WAL_HEADER_SIZE + 3 * FRAME)
  })

  it.each([
    ['a byte of a page', 40],
    ['the page number', 3],
    ['the size of the commit', 7],
    ['a salt', 9],
    ['its checksum', 18],
  ])('R2: a frame with %s changed does not count, nor does any after it', (_what, byte) => {
    for (const frame of [1, 3, 5]) {
      const files = new MemoryFiles()
      const index = files.write(THREE)
      files.wal[files.offset(frame) + byte]! ^= 4
      const table = new FrameTable()
      const scanner = new WALScan(files.files, 512)
      expect(() => scanner.scan(at(files, 0), index, table)).toThrow(DISCONTINUOUS)
    }
  })

  it('R2: the last frame must be the one that the wal-index names, checksum included', () => {
    const files = new MemoryFiles()
    files.write(THREE)
    const scanner = new WALScan(files.files, 512)
    for (const wrong of [{ frameChecksum1: 1 }, { frameChecksum2: 1 }]) {
      const index = { ...files.index(5), ...wrong }
      expect(() => scanner.scan(at(files, 0), index, new FrameTable())).toThrow(DISCONTINUOUS)
    }
  })

  it('R2: a stretch that does not continue the position does not count', () => {
    const files = new MemoryFiles()
    files.write(THREE)
    const scanner = new WALScan(files.files, 512)
    for (const wrong of [{ checksum1: 5 }, { checksum2: 5 }, { frame: 1 }]) {
      const from = { ...at(files, 2), ...wrong }
      expect(() => scanner.scan(from, files.index(5), new FrameTable())).toThrow(DISCONTINUOUS)
    }
  })

  it('R2: a stretch must end on a commit', () => {
    const files = new MemoryFiles()
    files.write(THREE)
    expect(() => scan(files, 4)).toThrow(DISCONTINUOUS)
    expect(() => scan(files, 1)).toThrow(DISCONTINUOUS)
  })

  it('R2: a WAL that ends before mxFrame, at any byte, does not count', () => {
    const files = new MemoryFiles()
    const index = files.write(THREE)
    const { wal } = files
    const scanner = new WALScan(files.files, 512)
    for (let size = 0; size < wal.length; size += size < 64 ? 1 : 61) {
      files.wal = wal.subarray(0, size)
      const from = { salt1: 11, salt2: 22, frame: 0, checksum1: 0, checksum2: 0 }
      expect(() => scanner.scan(from, index, new FrameTable()), `${size} bytes`).toThrow(DISCONTINUOUS)
    }
  })

  it('R2: a header of another generation than the wal-index does not count', () => {
    const files = new MemoryFiles(512, [11, 23])
    const index = files.write(THREE)
    const scanner = new WALScan(files.files, 512)
    const stale = { ...index, salt2: 22 }
    expect(() => scanner.scan(at(files, 0), stale, new FrameTable())).toThrow(DISCONTINUOUS)
  })

  it('R2: a restart with the salts of the captured generation is told by its checksums', () => {
    const files = new MemoryFiles()
    files.write(THREE)
    const position = at(files, 2)
    // Same salts, other content, and longer than what was captured.
    const index = files.write(THREE.map((frame, i) => ({ ...frame, fill: 100 + i })))
    const scanner = new WALScan(files.files, 512)
    expect(() => scanner.scan(position, index, new FrameTable())).toThrow(DISCONTINUOUS)
  })
})

describe('a cut', () => {
  // Transactions of 1 to 5 frames, and where cuts are wanted.
  const transactions = fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 30 })

  it('R6: falls on the first commit after the limit, never inside a transaction, and nothing is lost', () => {
    fc.assert(
      fc.property(transactions, fc.integer({ min: 1, max: 20 }), (sizes, cutFrames) => {
        const frames: Frame[] = []
        const commits: number[] = []
        for (const [n, size] of sizes.entries()) {
          for (let i = 1; i <= size; i++) {
            const pgno = 1 + ((n * 7 + i) % 13)
            frames.push(i === size ? { pgno, commit: 13 + n } : { pgno })
          }
          commits.push(frames.length)
        }
        const files = new MemoryFiles()
        files.write(frames)
        let from = 0
        const newest = new Map<number, number>()
        for (;;) {
          const part = scan(files, frames.length, { from, cutBytes: cutFrames * FRAME })
          const expected = commits.find((end) => end - from >= cutFrames) ?? frames.length
          expect(part.end).toEqual(at(files, expected))
          expect(part.complete).toBe(expected === frames.length)
          expect(part.commit).toBe(13 + commits.indexOf(expected))
          for (const pgno of part.table.pages()) {
            const frame = part.table.get(pgno)
            expect(frame).toBeGreaterThan(from)
            expect(frame).toBeLessThanOrEqual(expected)
            newest.set(pgno, frame)
          }
          if (part.complete) break
          from = expected
        }
        const model = new Map(frames.map(({ pgno }, i) => [pgno, i + 1]))
        expect(newest).toEqual(model)
      }),
      { numRuns: 200 },
    )
  })

  it.each([
    ['is kept in memory', 15],
    ['is not kept', 17],
  ])(
    'R6: a single transaction is never cut; it is read a little at a time and %s (%i MB)',
    (what, megabytes) => {
      const files = new MemoryFiles(65536)
      const count = Math.floor((megabytes * 2 ** 20) / (65536 + WAL_FRAME_HEADER_SIZE))
      const frames = Array.from({ length: count }, (_, i) => ({ pgno: i + 1, fill: i }))
      files.write([...frames.slice(0, -1), { pgno: count, commit: count, fill: 5 }])
      files.reads.length = 0
      const whole = scan(files, count, { cutBytes: 1 })
      expect(whole.complete).toBe(true)
      expect(whole.commit).toBe(count)
      expect(whole.table.count).toBe(count)
      const lengths = files.reads.map(({ length }) => length)
      expect(lengths.reduce((sum, length) => sum + length)).toBe(count * (65536 + WAL_FRAME_HEADER_SIZE))
      expect(Math.max(...lengths)).toBeLessThanOrEqual(4 << 20)
      if (what === 'is not kept') expect(whole.bytes).toBeUndefined()
      else expect(Buffer.compare(whole.bytes!, files.wal.subarray(WAL_HEADER_SIZE))).toBe(0)
    },
  )
})

it('frames lie back to back behind the header', () => {
  expect(frameOffset(1, 512)).toBe(32)
  expect(frameOffset(3, 65536)).toBe(32 + 2 * (24 + 65536))
})

describe('the memory of a scan', () => {
  it('is its own until it is let go, and then that of the next one', () => {
    const files = new MemoryFiles()
    files.write(THREE)
    const [first, second] = [new WALScan(files.files, 512), new WALScan(files.files, 512)]
    const scanned = [first, second].map((each) => each.scan(at(files, 0), files.index(5), new FrameTable()))
    const [one, other] = scanned.map(({ bytes }) => bytes!.buffer)
    expect(one).not.toBe(other)
    first.letGo()
    const third = new WALScan(files.files, 512).scan(at(files, 0), files.index(3), new FrameTable())
    expect(third.bytes!.buffer).toBe(one)
    // Lent already: the next one has memory of its own.
    const fourth = first.scan(at(files, 0), files.index(3), new FrameTable())
    expect([one, other]).not.toContain(fourth.bytes!.buffer)
  })

  it('is not kept when a large transaction took it', () => {
    const files = new MemoryFiles()
    files.write([...Array.from({ length: 4000 }, (_, i) => ({ pgno: i + 1 })), { pgno: 4001, commit: 4001 }])
    const scanner = new WALScan(files.files, 512)
    const large = scanner.scan(at(files, 0), files.index(4001), new FrameTable())
    scanner.letGo()
    const next = scanner.scan(at(files, 3990), files.index(4001), new FrameTable())
    expect(next.bytes!.buffer).not.toBe(large.bytes!.buffer)
  })
})
