import { appendFileSync, copyFileSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  checkPrefix,
  compareImages,
  databaseImage,
  makeDatabase,
  OracleError,
  TempFolder,
  WriterProcess,
} from '../src/index.ts'

describe('checkPrefix', () => {
  const folder = new TempFolder('oracle')
  const good = folder.join('good.db')
  const commitLog = folder.join('commits')
  let copies = 0

  beforeAll(async () => {
    const mix = { insert: 0.5, largeRow: 0.1 }
    await (await WriterProcess.start({ database: good, commitLog, commits: 60, mix })).finished()
  })
  afterAll(() => folder.remove())

  /** A copy after some mischief. */
  function spoiled(mischief: (db: Database.Database) => void): string {
    const copy = folder.join(`copy${copies++}.db`)
    copyFileSync(good, copy)
    const db = new Database(copy)
    mischief(db)
    db.pragma('journal_mode=DELETE')
    db.close()
    return copy
  }

  function problems(path: string, options?: Parameters<typeof checkPrefix>[2]): readonly string[] {
    try {
      checkPrefix(path, commitLog, options)
    } catch (error) {
      if (error instanceof OracleError) return error.problems
      throw error
    }
    return []
  }

  it('accepts what was committed and leaves no file behind', () => {
    const before = readdirSync(folder.path)
    expect(checkPrefix(good, commitLog, { atLeast: 60 })).toEqual({ rows: 60, committed: 60 })
    expect(readdirSync(folder.path)).toEqual(before)
  })

  it('catches a missing transaction in the middle', () => {
    const path = spoiled((db) => db.exec('DELETE FROM log WHERE n = 30'))
    expect(problems(path)).toEqual(['after transaction 29 comes 31'])
  })

  it('catches a missing first transaction', () => {
    expect(problems(spoiled((db) => db.exec('DELETE FROM log WHERE n = 1')))).toEqual([
      'after transaction 0 comes 2',
    ])
  })

  it('catches a lost end that was durable, and accepts it when it was not', () => {
    const path = spoiled((db) => db.exec('DELETE FROM log WHERE n > 55'))
    expect(problems(path, { atLeast: 56 })).toEqual(['it ends at transaction 55, although 56 was durable'])
    expect(problems(path, { atLeast: 55 })).toEqual([])
  })

  it('catches a payload that is not the one that was written', () => {
    const path = spoiled((db) => db.exec("UPDATE log SET payload = x'00' || payload WHERE n = 12"))
    expect(problems(path)).toEqual(['payload of transaction 12 does not have its sha256'])
  })

  it('catches transactions that nobody committed, but allows one in flight', () => {
    const copy = (from: number, to: number) =>
      `INSERT INTO log SELECT ${to}, payload, sha256 FROM log WHERE n = ${from}`
    expect(problems(spoiled((db) => db.exec(copy(60, 61))))).toEqual([])
    const path = spoiled((db) => db.exec(`${copy(59, 61)}; ${copy(60, 62)}`))
    expect(problems(path)).toEqual(['it ends at transaction 62, although only 60 were committed'])
  })

  it('catches flipped bytes in any page', () => {
    const path = folder.join('flipped.db')
    const bytes = readFileSync(good)
    let caught = 0
    for (let pgno = 1; pgno <= bytes.length / 4096; pgno++) {
      const flipped = Uint8Array.from(bytes)
      for (let i = 0; i < 4096; i += 64) flipped[(pgno - 1) * 4096 + i]! ^= 0xff
      writeFileSync(path, flipped)
      if (problems(path).length > 0) caught++
    }
    expect(caught).toBe(bytes.length / 4096)
  })

  it('catches a file that was cut, a missing file and a file that is no database', () => {
    const path = folder.join('cut.db')
    writeFileSync(path, readFileSync(good).subarray(0, -4096))
    expect(problems(path)).not.toEqual([])
    expect(problems(folder.join('absent.db'))).toEqual(['it does not exist'])
    writeFileSync(path, 'x'.repeat(5000))
    expect(problems(path)[0]).toMatch(/it cannot be read/)
  })

  it('catches an index that lost its entries', () => {
    const path = spoiled((db) => {
      db.unsafeMode()
      db.pragma('writable_schema=ON')
      db.exec("DELETE FROM sqlite_schema WHERE name = 'side_name'")
    })
    expect(problems(path).join()).toMatch(/integrity_check/)
  })

  it('counts an empty database as zero transactions', () => {
    const path = folder.join('empty.db')
    makeDatabase(path, { rows: 0 })
    expect(checkPrefix(path, folder.join('no-log'))).toEqual({ rows: 0, committed: 0 })
    expect(problems(path, { atLeast: 1 })).toEqual(['it ends at transaction 0, although 1 was durable'])
  })
})

describe('compareImages', () => {
  it('names the first page that differs', () => {
    using folder = new TempFolder()
    const [a, b] = [folder.join('a.db'), folder.join('b.db')]
    makeDatabase(a, { rows: 400, pageSize: 1024 })
    copyFileSync(a, b)
    expect(compareImages(a, b)).toEqual({
      equal: true,
      pageSize: 1024,
      pageCount: readFileSync(a).length / 1024,
    })
    const bytes = Uint8Array.from(readFileSync(b))
    bytes[6 * 1024 + 17]! ^= 1
    writeFileSync(b, bytes)
    expect(compareImages(a, b)).toMatchObject({ equal: false, pgno: 7, differentPages: 1 })
    expect(compareImages(a, b)).toMatchObject({
      message: expect.stringContaining('page 7 differs at byte 17'),
    })
    copyFileSync(a, b)
    appendFileSync(b, new Uint8Array(1024))
    expect(compareImages(a, b)).toMatchObject({
      equal: false,
      message: expect.stringContaining('sizes differ'),
    })
  })
})

describe('databaseImage', () => {
  it('is what SQLite makes of the files', async () => {
    using folder = new TempFolder()
    const [database, image] = [folder.join('app.db'), folder.join('image.db')]
    const db = new Database(database)
    db.pragma('journal_mode=WAL')
    db.exec('CREATE TABLE t(a); INSERT INTO t VALUES(randomblob(90000)), (randomblob(10))')
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.exec('DELETE FROM t WHERE rowid = 1; VACUUM; INSERT INTO t VALUES(randomblob(9000))')
    const made = await databaseImage(database, image)
    expect(made.mxFrame).toBeGreaterThan(3)
    db.pragma('wal_checkpoint(TRUNCATE)')
    expect(compareImages(image, database)).toMatchObject({ equal: true, pageCount: made.pageCount })
    expect(await databaseImage(database, image)).toMatchObject({ pageCount: made.pageCount })
    db.close()
    expect(await databaseImage(database, image)).toMatchObject({ mxFrame: 0, pageCount: made.pageCount })
    expect(compareImages(image, database).equal).toBe(true)
  })

  it('is a state that the application had, while a hostile writer goes on', async () => {
    using folder = new TempFolder()
    const options = { database: folder.join('app.db'), commitLog: folder.join('commits') }
    const mix = { insert: 0.3, delete: 0.1, spill: 0.02, vacuum: 0.005, checkpointTruncate: 0.005 }
    await using writer = await WriterProcess.start({ ...options, rate: 400, mix, autoCheckpoint: 50 })
    for (let round = 0; round < 4; round++) {
      const atLeast = writer.committed()
      await databaseImage(options.database, folder.join('image.db'))
      checkPrefix(folder.join('image.db'), options.commitLog, { atLeast })
    }
  })
})
