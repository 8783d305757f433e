import { describe, expect, it } from 'vitest'
import { decodeFrameHeader, decodeWALHeader, decodeWALIndexHeader, walChecksum } from '../src/index.ts'
import { openDatabase, PAGE_SIZES, readFiles } from './sqlite.ts'

const COPY = 48

/** Writes a field of one header copy and corrects the checksum of that copy. */
function edit(shm: Uint8Array, copy: 0 | 1, field: number, value: number): void {
  const view = new DataView(shm.buffer, shm.byteOffset, shm.byteLength)
  view.setUint32(copy * COPY + field, value, true)
  const sum = new Uint32Array(2)
  walChecksum(sum, shm, copy * COPY, 40, false)
  view.setUint32(copy * COPY + 40, sum[0]!, true)
  view.setUint32(copy * COPY + 44, sum[1]!, true)
}

function realShm(): Uint8Array {
  const { db, path } = openDatabase()
  db.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1)')
  return Uint8Array.from(readFiles(path).shm)
}

describe('decodeWALIndexHeader', () => {
  it.each(PAGE_SIZES)('describes the WAL beside it (%i bytes a page)', (pageSize) => {
    const { db, path } = openDatabase(pageSize)
    db.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)')
    const { wal, shm } = readFiles(path)
    const header = decodeWALHeader(wal)
    const index = decodeWALIndexHeader(shm)!
    const last = decodeFrameHeader(wal, 32 + (index.mxFrame - 1) * (24 + pageSize))
    expect(index).toMatchObject({
      version: 3007000,
      pageSize,
      bigEndianChecksums: false,
      mxFrame: (wal.length - 32) / (24 + pageSize),
      pageCount: 2,
      salt1: header.salt1,
      salt2: header.salt2,
      frameChecksum1: last.checksum1,
      frameChecksum2: last.checksum2,
      backfill: 0,
    })
  })

  it('counts commits and tells how far a checkpoint came', () => {
    const { db, path } = openDatabase()
    db.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1)')
    const before = decodeWALIndexHeader(readFiles(path).shm)!
    db.exec('INSERT INTO t VALUES(2); INSERT INTO t VALUES(3)')
    db.pragma('wal_checkpoint(PASSIVE)')
    const after = decodeWALIndexHeader(readFiles(path).shm)!
    expect(after.change).toBe(before.change + 2)
    expect(after.backfill).toBe(after.mxFrame)
    expect(after.backfillAttempted).toBe(after.mxFrame)
    expect(after.readMarks).toHaveLength(5)
    expect(after.readMarks[0]).toBe(0)
  })

  it('takes the first copy when both are valid but differ', () => {
    const shm = realShm()
    edit(shm, 1, 16, 999)
    expect(decodeWALIndexHeader(shm)?.mxFrame).not.toBe(999)
    edit(shm, 0, 16, 500)
    expect(decodeWALIndexHeader(shm)?.mxFrame).toBe(500)
  })

  it('takes the second copy when the first is half written, wherever it was cut', () => {
    for (let cut = 1; cut < COPY; cut++) {
      const shm = realShm()
      const older = decodeWALIndexHeader(shm)!
      edit(shm, 1, 16, older.mxFrame + 1)
      edit(shm, 1, 8, older.change + 1)
      const newer = shm.slice(COPY, 2 * COPY)
      const torn = shm.slice()
      torn.set(newer.subarray(0, cut))
      const changed = Buffer.compare(torn.subarray(0, COPY), shm.subarray(0, COPY)) !== 0
      const complete = Buffer.compare(torn.subarray(0, COPY), newer) === 0
      const expected = changed || complete ? older.mxFrame + 1 : older.mxFrame
      expect(decodeWALIndexHeader(torn)?.mxFrame, `cut at ${cut}`).toBe(expected)
    }
  })

  it('gives nothing when neither copy is valid', () => {
    const shm = realShm()
    shm[16] = shm[16]! ^ 1
    shm[COPY + 16] = shm[COPY + 16]! ^ 1
    expect(decodeWALIndexHeader(shm)).toBeUndefined()
    expect(decodeWALIndexHeader(new Uint8Array(32768))).toBeUndefined()
    expect(decodeWALIndexHeader(shm.subarray(0, 135))).toBeUndefined()
  })

  it('does not take a copy that is not initialised or of another version, although its sum is right', () => {
    const shm = realShm()
    edit(shm, 0, 12, 0)
    edit(shm, 1, 0, 3007001)
    expect(decodeWALIndexHeader(shm)).toBeUndefined()
  })

  it('leaves page size and page count at 0 before the first frame', () => {
    const { db, path } = openDatabase()
    db.exec('CREATE TABLE t(a)')
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    const again = openDatabase()
    again.db.pragma('user_version')
    expect(decodeWALIndexHeader(readFiles(again.path).shm)).toMatchObject({
      mxFrame: 0,
      pageSize: 0,
      pageCount: 0,
    })
    expect(path).not.toBe(again.path)
  })
})
