import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { TempFolder } from '@sqlstream/testkit'
import { decodeWALIndexHeader, WAL_INDEX_HEADER_SIZE, type WALIndexHeader } from '@sqlstream/wal'
import Database from 'better-sqlite3'
import { expect, test } from 'vitest'
import { LastWALIndex } from '../../src/sqlite/last-wal-index.ts'

function readerOf(fd: number): () => WALIndexHeader | undefined {
  const index = new LastWALIndex()
  return () => index.decode(readSync(fd, index.next, 0, WAL_INDEX_HEADER_SIZE, 0))
}

test('what is read is what is there, decoded once for each state', () => {
  using folder = new TempFolder()
  const path = join(folder.path, 'app.db')
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE t(v)')
  const fd = openSync(`${path}-shm`, 'r')
  const read = readerOf(fd)
  const bytes = new Uint8Array(WAL_INDEX_HEADER_SIZE)
  const seen = new Set<number>()
  for (let i = 0; i < 50; i++) {
    if (i % 10 === 9) db.pragma('wal_checkpoint(TRUNCATE)')
    else db.exec('INSERT INTO t VALUES(randomblob(5000))')
    readSync(fd, bytes, 0, bytes.length, 0)
    const header = read()
    expect(header).toEqual(decodeWALIndexHeader(bytes))
    expect(read()).toBe(header)
    seen.add(header!.change)
  }
  expect(seen.size).toBeGreaterThan(40)
  db.close()
  // Only now: closing it before would have dropped the locks of this process.
  closeSync(fd)
})

test('a state that is torn or cut is none, and does not stay', () => {
  using folder = new TempFolder()
  const path = join(folder.path, 'shm')
  const fd = openSync(path, 'w+')
  const read = readerOf(fd)
  expect(read()).toBeUndefined()
  const database = join(folder.path, 'app.db')
  const db = new Database(database)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE t(v)')
  const shm = openSync(`${database}-shm`, 'r')
  const whole = new Uint8Array(WAL_INDEX_HEADER_SIZE)
  readSync(shm, whole, 0, whole.length, 0)
  db.close()
  closeSync(shm)
  writeSync(fd, whole, 0, whole.length, 0)
  const header = read()
  expect(header).toEqual(decodeWALIndexHeader(whole))
  // Both copies.
  const torn = whole.slice()
  for (const at of [8, 56]) torn[at]! ^= 1
  writeSync(fd, torn, 0, torn.length, 0)
  expect(read()).toBeUndefined()
  expect(read()).toBeUndefined()
  writeSync(fd, whole, 0, whole.length, 0)
  expect(read()).toEqual(header)
  closeSync(fd)
})
