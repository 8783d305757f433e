import { describe, expect, it } from 'vitest'
import { decodeWALIndexHeader, type WALPos, WALReader, type WALTransaction } from '../src/index.ts'
import { craftWAL, overwriteStart } from './craft.ts'
import { memoryFile, openDatabase, overlay, PAGE_SIZES, readFiles } from './sqlite.ts'

async function collect(reader: AsyncIterable<WALTransaction>): Promise<WALTransaction[]> {
  const all: WALTransaction[] = []
  for await (const transaction of reader) all.push(transaction)
  return all
}

describe('WALReader', () => {
  it.each(PAGE_SIZES)(
    'yields pages that make the image SQLite makes by a checkpoint (%i bytes)',
    async (pageSize) => {
      const { db, path } = openDatabase(pageSize)
      db.exec('CREATE TABLE t(a INTEGER PRIMARY KEY, b)')
      for (let i = 0; i < 30; i++) db.prepare('INSERT INTO t(b) VALUES(randomblob(?))').run(pageSize)
      db.exec('DELETE FROM t WHERE a % 3 = 0; VACUUM; INSERT INTO t(b) VALUES(zeroblob(10000))')
      const { main, wal } = readFiles(path)
      let image: Uint8Array = main
      for (const { pages, commit } of await collect(await WALReader.open(memoryFile(wal)))) {
        image = overlay(image, wal, pageSize, pages, commit)
      }
      db.pragma('wal_checkpoint(TRUNCATE)')
      expect(Buffer.compare(image, readFiles(path).main)).toBe(0)
    },
  )

  it('yields one transaction for each commit and none for a rollback', async () => {
    const { db, path } = openDatabase()
    db.exec('CREATE TABLE t(a)')
    db.pragma('cache_size=4')
    for (let i = 0; i < 5; i++) {
      db.exec('BEGIN')
      for (let j = 0; j < 40; j++) db.prepare('INSERT INTO t VALUES(randomblob(3000))').run()
      db.exec(i % 2 === 0 ? 'COMMIT' : 'ROLLBACK')
    }
    const { wal } = readFiles(path)
    const transactions = await collect(await WALReader.open(memoryFile(wal)))
    expect(transactions).toHaveLength(4)
    expect(transactions.every((t) => t.pages.size <= t.commit)).toBe(true)
  })

  it('goes on at any position as if it had never stopped, with any chunk size', async () => {
    const { db, path } = openDatabase(512)
    db.exec('CREATE TABLE t(a)')
    for (let i = 0; i < 25; i++) db.prepare('INSERT INTO t VALUES(randomblob(?))').run(i * 97)
    const { wal } = readFiles(path)
    const whole = await collect(await WALReader.open(memoryFile(wal)))
    for (const chunkBytes of [1, 536, 1700, 5000]) {
      expect(await collect(await WALReader.open(memoryFile(wal), undefined, { chunkBytes }))).toEqual(whole)
    }
    for (const [i, { end }] of whole.entries()) {
      expect(await collect(await WALReader.open(memoryFile(wal), end))).toEqual(whole.slice(i + 1))
    }
  })

  it('stands after the last transaction that was consumed', async () => {
    const wal = craftWAL([1, 2, 3].map((pgno) => ({ pgno, commit: 3 })))
    const reader = await WALReader.open(memoryFile(wal))
    for await (const { end } of reader) {
      expect(reader.pos).toEqual(end)
      if (end.offset === 32 + 2 * 536) break
    }
    expect(reader.pos.offset).toBe(32 + 2 * 536)
  })

  it('keeps only the newest frame of a page', async () => {
    const wal = craftWAL([{ pgno: 2, fill: 1 }, { pgno: 1 }, { pgno: 2, fill: 2 }, { pgno: 3, commit: 3 }])
    const [transaction] = await collect(await WALReader.open(memoryFile(wal)))
    expect(transaction?.pages.get(2)).toBe(32 + 2 * 536 + 24)
    expect(transaction?.pages.size).toBe(3)
  })

  it('does not report a complete transaction after maxFrame: its writer died before it was visible', async () => {
    const wal = craftWAL([
      { pgno: 1, commit: 1 },
      { pgno: 2, commit: 2 },
    ])
    const bounded = await collect(await WALReader.open(memoryFile(wal), undefined, { maxFrame: 1 }))
    expect(bounded.map((t) => t.commit)).toEqual([1])
    expect(await collect(await WALReader.open(memoryFile(wal)))).toHaveLength(2)
  })

  it('drops frames without a commit and a torn last frame', async () => {
    const wal = craftWAL([{ pgno: 1, commit: 1 }, { pgno: 2 }, { pgno: 3, commit: 3 }])
    for (let length = 32; length < wal.length; length += 61) {
      const transactions = await collect(await WALReader.open(memoryFile(wal.subarray(0, length))))
      expect(transactions).toHaveLength(length >= 32 + 536 ? 1 : 0)
    }
  })

  it('says that a position of an earlier generation does not continue', async () => {
    const old = craftWAL([1, 2, 3].map((pgno) => ({ pgno, commit: 3 })))
    const [first] = await collect(await WALReader.open(memoryFile(old)))
    const restarted = overwriteStart(old, craftWAL([{ pgno: 7, commit: 7 }], { salt1: 5, salt2: 6 }))
    const reader = await WALReader.open(memoryFile(restarted), first?.end)
    expect(reader.continues).toBe(false)
    expect(await collect(reader)).toEqual([])
  })

  it('T20 finds nothing after a position when the new generation repeats the salts', async () => {
    const old = craftWAL([1, 2, 3].map((pgno) => ({ pgno, commit: 3 })))
    const [first] = await collect(await WALReader.open(memoryFile(old)))
    const forged = craftWAL([8, 9, 10].map((pgno) => ({ pgno, commit: 10 })))
    expect(await collect(await WALReader.open(memoryFile(forged), first?.end))).toEqual([])
  })

  it('agrees with the wal-index about where the WAL ends', async () => {
    const { db, path } = openDatabase()
    db.exec('CREATE TABLE t(a); INSERT INTO t VALUES(1); INSERT INTO t VALUES(2)')
    const { wal, shm } = readFiles(path)
    const index = decodeWALIndexHeader(shm)!
    const transactions = await collect(await WALReader.open(memoryFile(wal)))
    const { frameChecksum1: checksum1, frameChecksum2: checksum2, salt1, salt2, mxFrame } = index
    const end: WALPos = { offset: 32 + mxFrame * 4120, salt1, salt2, checksum1, checksum2 }
    expect(transactions.at(-1)?.end).toEqual(end)
  })

  it('reads no more than it needs', async () => {
    const file = memoryFile(craftWAL([1, 2, 3, 4].map((pgno) => ({ pgno, commit: 4 }))))
    await collect(await WALReader.open(file, undefined, { chunkBytes: 2 * 536, maxFrame: 3 }))
    expect(file.reads).toEqual([32, 2 * 536, 536])
  })

  it('refuses a WAL whose page size is not that of the database', async () => {
    const file = memoryFile(craftWAL([{ pgno: 1, commit: 1 }]))
    await expect(WALReader.open(file, undefined, { pageSize: 4096 })).rejects.toMatchObject({
      name: 'WALError',
      code: 'page-size-mismatch',
    })
    await expect(WALReader.open(file, undefined, { pageSize: 512 })).resolves.toBeInstanceOf(WALReader)
  })

  it('rethrows the reason of an abort', async () => {
    const wal = craftWAL([{ pgno: 1, commit: 1 }])
    const reason = new Error('enough')
    await expect(
      WALReader.open(memoryFile(wal), undefined, { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason)
  })

  it('refuses a position inside a frame or before the first', async () => {
    const wal = craftWAL([{ pgno: 1, commit: 1 }])
    const { pos } = await WALReader.open(memoryFile(wal))
    await expect(WALReader.open(memoryFile(wal), { ...pos, offset: 33 })).rejects.toThrow(RangeError)
    await expect(WALReader.open(memoryFile(wal), { ...pos, offset: 0 })).rejects.toThrow(RangeError)
  })
})
