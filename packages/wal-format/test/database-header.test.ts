import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { decodeDatabaseHeader, isWALError, isWALResetBugFixed } from '../src/index.ts'
import { openDatabase, PAGE_SIZES, readFiles } from './sqlite.ts'

describe('decodeDatabaseHeader', () => {
  it.each(PAGE_SIZES)('reads what SQLite wrote with pages of %i bytes', (pageSize) => {
    const { db, path } = openDatabase(pageSize)
    db.exec('CREATE TABLE t(a)')
    db.pragma('wal_checkpoint(TRUNCATE)')
    const { main } = readFiles(path)
    const header = decodeDatabaseHeader(main)
    expect(header).toMatchObject({
      pageSize,
      pageCount: main.length / pageSize,
      journalMode: 'wal',
      writeVersion: 2,
      readVersion: 2,
      reservedBytes: 0,
    })
    const [major, minor, patch] =
      db.prepare('SELECT sqlite_version()').pluck().get()?.toString().split('.') ?? []
    expect(header.sqliteVersion).toBe(Number(major) * 1_000_000 + Number(minor) * 1000 + Number(patch))
    expect(header.versionValidFor).toBe(header.changeCounter)
  })

  it('tells a rollback-journal database from a WAL one', () => {
    const db = new Database(':memory:')
    db.exec('CREATE TABLE t(a)')
    expect(decodeDatabaseHeader(db.serialize())).toMatchObject({ journalMode: 'rollback', readVersion: 1 })
    db.close()
  })

  it('names what is wrong', () => {
    const failure = (bytes: Uint8Array): string => {
      try {
        decodeDatabaseHeader(bytes)
      } catch (error) {
        if (isWALError(error)) return error.code
      }
      return 'none'
    }
    expect(failure(new Uint8Array(99))).toBe('bad-header')
    expect(failure(new Uint8Array(100))).toBe('bad-magic')
    const bytes = new Uint8Array(100)
    bytes.set(new TextEncoder().encode('SQLite format 3\0'))
    expect(failure(bytes)).toBe('bad-header')
    bytes[16] = 0x10
    expect(failure(bytes)).toBe('none')
  })
})

describe('isWALResetBugFixed', () => {
  it.each([3007000, 3040001, 3044005, 3045000, 3049002, 3050006, 3051000, 3051002])(
    'T06 is false for %i',
    (v) => {
      expect(isWALResetBugFixed(v)).toBe(false)
    },
  )
  it.each([3006023, 3044006, 3044007, 3050007, 3050010, 3051003, 3052000, 3053002, 4000000])(
    'T06 is true for %i',
    (v) => {
      expect(isWALResetBugFixed(v)).toBe(true)
    },
  )
})

describe('isWALError', () => {
  it('looks at name and code only', () => {
    const twin = Object.assign(new Error('x'), { name: 'WALError', code: 'bad-magic' })
    expect(isWALError(twin)).toBe(true)
    expect(isWALError(twin, 'bad-header')).toBe(false)
    expect(isWALError(new Error('x'))).toBe(false)
    expect(isWALError('bad-magic')).toBe(false)
  })
})
