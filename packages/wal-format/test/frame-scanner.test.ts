import { describe, expect, it } from 'vitest'
import {
  decodeFrameHeader,
  decodeWALHeader,
  FrameScanner,
  WAL_FRAME_HEADER_SIZE,
  WAL_HEADER_SIZE,
} from '../src/index.ts'
import { type CraftedFrame, craftWAL, overwriteStart } from './craft.ts'
import { openDatabase, PAGE_SIZES, readFiles } from './sqlite.ts'

function scannerFor(wal: Uint8Array): FrameScanner {
  const header = decodeWALHeader(wal)
  return new FrameScanner({ ...header, bigEndian: header.bigEndianChecksums })
}

function frameCount(wal: Uint8Array): number {
  return Math.floor((wal.length - WAL_HEADER_SIZE) / (WAL_FRAME_HEADER_SIZE + decodeWALHeader(wal).pageSize))
}

function scanAll(wal: Uint8Array): { valid: number; visits: number[][]; scanner: FrameScanner } {
  const scanner = scannerFor(wal)
  const visits: number[][] = []
  const valid = scanner.scan(wal, WAL_HEADER_SIZE, frameCount(wal), (...visit) => visits.push(visit))
  return { valid, visits, scanner }
}

/** The same bytes at an address that is not a multiple of 4. */
function unaligned(bytes: Uint8Array): Uint8Array {
  const copy = new Uint8Array(bytes.length + 3).subarray(3)
  copy.set(bytes)
  return copy
}

const three: readonly CraftedFrame[] = [
  { pgno: 1, commit: 1 },
  { pgno: 2, fill: 0xff },
  { pgno: 0x80000003, commit: 0x80000003, fill: 0x80 },
]

describe('FrameScanner', () => {
  it.each(PAGE_SIZES)('finds every frame of a WAL that SQLite wrote with pages of %i bytes', (pageSize) => {
    const { db, path } = openDatabase(pageSize)
    db.exec('CREATE TABLE t(a)')
    const insert = db.prepare('INSERT INTO t VALUES(randomblob(?))')
    for (let i = 1; i <= 20; i++) insert.run(i * 300)
    const { wal } = readFiles(path)
    const { valid, visits, scanner } = scanAll(wal)
    expect(valid).toBe(frameCount(wal))
    expect(visits.filter(([, commit]) => commit !== 0)).toHaveLength(21)
    expect(scanner.lastCommitFrame).toBe(valid)
    const last = decodeFrameHeader(wal, WAL_HEADER_SIZE + (valid - 1) * (24 + pageSize))
    expect([...scanner.checksum]).toEqual([last.checksum1, last.checksum2])
    expect(scanAll(unaligned(wal)).visits).toEqual(visits)
  })

  it.each([
    ['little-endian', false],
    ['big-endian', true],
  ])('reads %s checksums, aligned or not, with the same result', (_, bigEndian) => {
    const wal = craftWAL(three, { bigEndian })
    const expected = [
      [1, 1, 0],
      [2, 0, 1],
      [0x80000003, 0x80000003, 2],
    ]
    expect(scanAll(wal)).toMatchObject({ valid: 3, visits: expected })
    expect(scanAll(unaligned(wal))).toMatchObject({ valid: 3, visits: expected })
  })

  it('goes on in the next call, with another buffer, where the last one ended', () => {
    const wal = craftWAL(three)
    const scanner = scannerFor(wal)
    const frameSize = WAL_FRAME_HEADER_SIZE + 512
    expect(scanner.scan(wal, WAL_HEADER_SIZE, 2)).toBe(2)
    const rest = wal.slice(WAL_HEADER_SIZE + 2 * frameSize)
    expect(scanner.scan(rest, 0, 1)).toBe(1)
    expect(scanner.checksum).toEqual(scanAll(wal).scanner.checksum)
  })

  it('knows the last commit frame of each scan and the checksum there', () => {
    const wal = craftWAL([{ pgno: 1, commit: 1 }, { pgno: 2, commit: 9 }, { pgno: 3 }, { pgno: 4 }])
    const { scanner, valid } = scanAll(wal)
    expect(valid).toBe(4)
    expect(scanner).toMatchObject({ lastCommitFrame: 2, commit: 9 })
    const commitFrame = decodeFrameHeader(wal, WAL_HEADER_SIZE + 536)
    expect([...scanner.commitChecksum]).toEqual([commitFrame.checksum1, commitFrame.checksum2])
    expect(scanner.scan(wal, 0, 0)).toBe(0)
    expect(scanner).toMatchObject({ lastCommitFrame: 0, commit: 0 })
  })

  it.each([false, true])('T18 stops at a frame of which any byte changed (big-endian: %s)', (bigEndian) => {
    const good = craftWAL(three, { bigEndian })
    const second = WAL_HEADER_SIZE + 536
    for (let at = second; at < second + 536; at++) {
      const wal = good.slice()
      wal[at] = wal[at]! ^ 1
      const { valid, visits } = scanAll(wal)
      expect(valid, `byte ${at - second}`).toBe(1)
      expect(visits).toHaveLength(1)
    }
  })

  it('stays at the last valid frame when the next one is bad, and takes it once it is good', () => {
    const good = craftWAL(three)
    const torn = good.slice()
    torn.fill(0, WAL_HEADER_SIZE + 536 + 100)
    const scanner = scannerFor(torn)
    expect(scanner.scan(torn, WAL_HEADER_SIZE, 3)).toBe(1)
    expect(scanner.scan(good, WAL_HEADER_SIZE + 536, 2)).toBe(2)
  })

  it('refuses a frame for page 0, as SQLite does', () => {
    expect(scanAll(craftWAL([{ pgno: 0, commit: 1 }])).valid).toBe(0)
    expect(scanAll(unaligned(craftWAL([{ pgno: 0, commit: 1 }], { bigEndian: true }))).valid).toBe(0)
  })

  it('T08 sees a commit that changes neither the size nor the header of the WAL', () => {
    const { db, path } = openDatabase()
    db.exec('CREATE TABLE t(a)')
    for (let i = 0; i < 50; i++) db.prepare('INSERT INTO t VALUES(randomblob(3000))').run()
    db.pragma('wal_checkpoint(FULL)')
    db.exec("INSERT INTO t VALUES('first of the new generation')")
    const before = readFiles(path).wal
    const first = scanAll(before)
    db.exec("INSERT INTO t VALUES('second')")
    const after = readFiles(path).wal
    expect(after.length).toBe(before.length)
    expect(after.subarray(0, 32)).toEqual(before.subarray(0, 32))
    const next = first.scanner.scan(after, WAL_HEADER_SIZE + first.valid * 4120, 1)
    expect(next).toBe(1)
  })

  it('T09 does not take stale frames after the logical end, though they are valid in their generation', () => {
    const old = craftWAL([1, 2, 3, 4, 5].map((pgno) => ({ pgno, commit: pgno })))
    const wal = overwriteStart(old, craftWAL([{ pgno: 9, commit: 9 }], { salt1: 0xdeadbef0, salt2: 1 }))
    expect(scanAll(wal).valid).toBe(1)
    expect(scanAll(overwriteStart(old, craftWAL([], { salt1: 1 }))).valid).toBe(0)
  })

  it('T20 stops at stale frames although the new generation repeats both salts', () => {
    const old = craftWAL([1, 2, 3, 4, 5].map((pgno) => ({ pgno, commit: pgno })))
    const wal = overwriteStart(old, craftWAL([{ pgno: 9, commit: 9 }]))
    expect(scanAll(wal).valid).toBe(1)
  })

  it('refuses frames outside the buffer', () => {
    const wal = craftWAL(three)
    const scanner = scannerFor(wal)
    expect(() => scanner.scan(wal, WAL_HEADER_SIZE, 4)).toThrow(RangeError)
    expect(() => scanner.scan(wal, -1, 1)).toThrow(RangeError)
  })
})
