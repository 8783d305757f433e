import { lockPgno, type PageSize } from '@sqlstream/ltx'
import { describe, expect, it } from 'vitest'
import { FrameTable } from '../../src/capture/frame-table.ts'
import { DatabaseView, type PageSource, WALPages } from '../../src/capture/page-source.ts'
import { WALScan } from '../../src/capture/scan.ts'
import { type Frame, MemoryFiles } from '../support/wal-file.ts'

function walPages(
  files: MemoryFiles,
  frames: readonly Frame[],
  before: number,
  options: { again?: boolean } = {},
): WALPages {
  const index = files.write(frames)
  const table = new FrameTable()
  const from = { salt1: 11, salt2: 22, frame: 0, checksum1: 0, checksum2: 0 }
  const scanned = new WALScan(files.files, files.pageSize).scan(from, index, table)
  files.reads.length = 0
  // Without the bytes, as of a stretch that is longer than one read.
  const stretch = options.again ? { ...scanned, bytes: undefined } : scanned
  return new WALPages(files.files, files.pageSize, table, stretch, before)
}

function pgnosOf(source: PageSource): number[] {
  return Array.from({ length: source.count }, (_, i) => source.pgno(i))
}

/** The first byte of each page; every page must be filled with it. */
function fills(source: PageSource, batch = source.count): number[] {
  const { pageSize, count } = source
  const result: number[] = []
  for (let from = 0; from < count; from += batch) {
    const n = Math.min(batch, count - from)
    const into = new Uint8Array(n * pageSize).fill(0xee)
    source.read(from, n, into)
    for (let i = 0; i < n; i++) {
      const page = into.subarray(i * pageSize, (i + 1) * pageSize)
      expect(page.every((byte) => byte === page[0])).toBe(true)
      result.push(page[0]!)
    }
  }
  return result
}

/** A database file in which every byte of page n is n. */
function numbered(pages: number, pageSize: number): Uint8Array {
  return Uint8Array.from({ length: pages * pageSize }, (_, i) => Math.floor(i / pageSize) + 1)
}

describe('the pages of a stretch of the WAL', () => {
  it.each([false, true])('are the newest frames, in page order (read from the file again: %s)', (again) => {
    const files = new MemoryFiles()
    const source = walPages(
      files,
      [{ pgno: 5 }, { pgno: 2 }, { pgno: 5, commit: 5 }, { pgno: 1, commit: 5 }],
      5,
      { again },
    )
    expect(pgnosOf(source)).toEqual([1, 2, 5])
    expect(fills(source)).toEqual([4, 2, 3])
    expect(fills(source, 1)).toEqual([4, 2, 3])
  })

  it('R3: of a short stretch come from the bytes that were verified, whatever becomes of the file', () => {
    const files = new MemoryFiles()
    const source = walPages(files, [{ pgno: 1 }, { pgno: 2, commit: 2 }], 2)
    files.wal.fill(0xaa)
    expect(fills(source)).toEqual([1, 2])
    expect(files.reads).toEqual([])
  })

  it('R4: pages that the database grew by without a frame come from the database file, else they are zero', () => {
    const files = new MemoryFiles()
    files.database = numbered(6, 512)
    const source = walPages(
      files,
      [
        { pgno: 1, fill: 77 },
        { pgno: 7, commit: 8, fill: 88 },
      ],
      4,
    )
    expect(pgnosOf(source)).toEqual([1, 5, 6, 7, 8])
    expect(fills(source)).toEqual([77, 5, 6, 88, 0])
  })

  it('R4: pages beyond the commit are dropped', () => {
    const files = new MemoryFiles()
    const source = walPages(files, [{ pgno: 9, commit: 9 }, { pgno: 1 }, { pgno: 3, commit: 3 }], 8)
    expect(pgnosOf(source)).toEqual([1, 3])
    expect(fills(source)).toEqual([2, 3])
  })

  it('R4: what fell away in between and came back is there, with or without a frame', () => {
    const files = new MemoryFiles()
    files.database = numbered(8, 512)
    // 8 pages, then 3, then 6 again: 4 and 6 have no frame of the last growth.
    const source = walPages(
      files,
      [
        { pgno: 3, commit: 3 },
        { pgno: 5, commit: 6 },
      ],
      8,
    )
    expect(pgnosOf(source)).toEqual([3, 4, 5, 6])
  })

  it('R4: the lock page never appears, as a frame or as growth', () => {
    const pageSize: PageSize = 65536
    const lock = lockPgno(pageSize)
    const files = new MemoryFiles(pageSize)
    const grown = walPages(files, [{ pgno: lock - 1 }, { pgno: lock + 2, commit: lock + 2 }], lock - 2)
    expect(pgnosOf(grown)).toEqual([lock - 1, lock + 1, lock + 2])
    const framed = walPages(files, [{ pgno: lock }, { pgno: 1, commit: lock + 2 }], lock + 2)
    expect(pgnosOf(framed)).toEqual([1])
  })

  it('reads neighbouring frames at once', () => {
    const files = new MemoryFiles()
    const frames: Frame[] = Array.from({ length: 300 }, (_, i) => ({ pgno: i + 1, fill: i }))
    frames.push({ pgno: 1 }, { pgno: 400, commit: 400 })
    const source = walPages(files, frames, 399, { again: true })
    fills(source)
    // Page 1 in its last version, then 2 to 300, then 400.
    expect(files.reads.map(({ length }) => length / (512 + 24))).toEqual([1, 299, 1])
  })

  it('reads each page alone where pages and frames run in different orders', () => {
    const files = new MemoryFiles()
    const frames = Array.from({ length: 9 }, (_, i) => ({ pgno: 10 - i, fill: i }))
    const source = walPages(files, [...frames, { pgno: 1, commit: 10, fill: 9 }], 10, { again: true })
    expect(fills(source)).toEqual([9, 8, 7, 6, 5, 4, 3, 2, 1, 0])
    expect(files.reads).toHaveLength(10)
  })
})

describe('the view of a whole database', () => {
  it('is the database file, and over it the newest frames', () => {
    const files = new MemoryFiles()
    files.database = numbered(4, 512)
    const index = files.write([
      { pgno: 2, fill: 70 },
      { pgno: 6, fill: 71 },
      { pgno: 2, commit: 6, fill: 72 },
    ])
    const overlay = new FrameTable()
    const from = { salt1: 11, salt2: 22, frame: 0, checksum1: 0, checksum2: 0 }
    new WALScan(files.files, 512).scan(from, index, overlay)
    const view = new DatabaseView(files.files, 512, 6, overlay)
    expect(pgnosOf(view)).toEqual([1, 2, 3, 4, 5, 6])
    expect(fills(view)).toEqual([1, 72, 3, 4, 0, 71])
    expect(fills(view, 4)).toEqual([1, 72, 3, 4, 0, 71])
  })

  it('without frames is one read a batch', () => {
    const files = new MemoryFiles()
    files.database = numbered(200, 512)
    const view = new DatabaseView(files.files, 512, 200, new FrameTable())
    expect(fills(view, 100)).toEqual(Array.from({ length: 200 }, (_, i) => i + 1))
    expect(files.reads).toEqual([
      { file: 'database', offset: 0, length: 51200 },
      { file: 'database', offset: 51200, length: 51200 },
    ])
  })

  it('R4: steps over the lock page, within a batch and between two', () => {
    const pageSize: PageSize = 65536
    const lock = lockPgno(pageSize)
    const files = new MemoryFiles(pageSize)
    const view = new DatabaseView(files.files, pageSize, lock + 2, new FrameTable())
    expect(view.count).toBe(lock + 1)
    expect([lock - 3, lock - 2, lock - 1, lock].map((i) => view.pgno(i))).toEqual([
      lock - 2,
      lock - 1,
      lock + 1,
      lock + 2,
    ])
    const offsets = (from: number, count: number): number[] => {
      files.reads.length = 0
      view.read(from, count, new Uint8Array(count * pageSize))
      return files.reads.flatMap(({ offset, length }) =>
        Array.from({ length: length / pageSize }, (_, i) => offset / pageSize + i + 1),
      )
    }
    expect(offsets(lock - 3, 4)).toEqual([lock - 2, lock - 1, lock + 1, lock + 2])
    expect(offsets(lock - 3, 2)).toEqual([lock - 2, lock - 1])
    expect(offsets(lock - 1, 2)).toEqual([lock + 1, lock + 2])
    // A database that ends just before it, and one that ends on it.
    expect(new DatabaseView(files.files, pageSize, lock - 1, new FrameTable()).count).toBe(lock - 1)
    expect(new DatabaseView(files.files, pageSize, lock, new FrameTable()).count).toBe(lock - 1)
  })
})
