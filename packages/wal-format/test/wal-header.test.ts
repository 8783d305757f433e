import { describe, expect, it } from 'vitest'
import { decodeFrameHeader, decodeWALHeader, isWALError, WAL_HEADER_SIZE } from '../src/index.ts'
import { craftWAL } from './craft.ts'
import { openDatabase, PAGE_SIZES, readFiles } from './sqlite.ts'

function failure(bytes: Uint8Array): string {
  try {
    decodeWALHeader(bytes)
  } catch (error) {
    if (isWALError(error)) return error.code
  }
  return 'none'
}

describe('decodeWALHeader', () => {
  it.each(PAGE_SIZES)('reads the header that SQLite wrote for pages of %i bytes', (pageSize) => {
    const { db, path } = openDatabase(pageSize)
    db.exec('CREATE TABLE t(a)')
    const { wal } = readFiles(path)
    const header = decodeWALHeader(wal)
    expect(header).toMatchObject({ pageSize, bigEndianChecksums: false, checkpointSeq: 0 })
    const frame = decodeFrameHeader(wal, WAL_HEADER_SIZE)
    expect(frame).toMatchObject({ pgno: 1, salt1: header.salt1, salt2: header.salt2 })
  })

  it('gives the salts as unsigned numbers, in the order of the file', () => {
    const header = decodeWALHeader(craftWAL([], { salt1: 0xfedcba98, salt2: 0x80000001, checkpointSeq: 7 }))
    expect(header).toMatchObject({ salt1: 0xfedcba98, salt2: 0x80000001, checkpointSeq: 7 })
  })

  it('reads a header whose checksums are big-endian', () => {
    expect(decodeWALHeader(craftWAL([], { bigEndian: true, pageSize: 65536 }))).toMatchObject({
      bigEndianChecksums: true,
      pageSize: 65536,
    })
  })

  it('names what is wrong with a damaged header', () => {
    const good = craftWAL([])
    const damaged = (at: number, value: number): Uint8Array => {
      const bytes = good.slice()
      bytes[at] = value
      return bytes
    }
    expect(failure(good.subarray(0, 31))).toBe('bad-header')
    expect(failure(new Uint8Array(0))).toBe('bad-header')
    expect(failure(damaged(0, 0))).toBe('bad-magic')
    expect(failure(damaged(7, 0))).toBe('bad-version')
    expect(failure(damaged(10, 3))).toBe('bad-header')
    expect(failure(craftWAL([], { pageSize: 256 }))).toBe('bad-header')
    expect(failure(craftWAL([], { pageSize: 131072 }))).toBe('bad-header')
  })

  it('detects a change of any byte', () => {
    const good = craftWAL([])
    for (let at = 0; at < WAL_HEADER_SIZE; at++) {
      const bytes = good.slice()
      bytes[at] = bytes[at]! ^ 0x40
      expect(failure(bytes), `byte ${at}`).not.toBe('none')
    }
  })
})
