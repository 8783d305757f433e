import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { onTestFinished } from 'vitest'
import type { RandomAccessFile } from '../src/index.ts'

export const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536] as const

/** A WAL database of its own, removed after the test, that never checkpoints by itself. */
export function openDatabase(pageSize = 4096): { db: Database.Database; path: string } {
  const folder = mkdtempSync(join(tmpdir(), 'wal-'))
  const path = join(folder, 'app.db')
  const db = new Database(path)
  onTestFinished(() => {
    db.close()
    rmSync(folder, { recursive: true })
  })
  db.pragma(`page_size=${pageSize}`)
  db.pragma('journal_mode=WAL')
  db.pragma('synchronous=OFF')
  db.pragma('wal_autocheckpoint=0')
  return { db, path }
}

/** The three files as they are now. Only for tests in which nobody else uses the database. */
export function readFiles(path: string): { main: Uint8Array; wal: Uint8Array; shm: Uint8Array } {
  return { main: readFileSync(path), wal: readFileSync(`${path}-wal`), shm: readFileSync(`${path}-shm`) }
}

/** A file in memory, with a log of what was read. */
export function memoryFile(bytes: Uint8Array): RandomAccessFile & { readonly reads: number[] } {
  const reads: number[] = []
  return {
    size: bytes.length,
    reads,
    read: async (offset, length, options) => {
      options?.signal?.throwIfAborted()
      reads.push(length)
      return bytes.slice(offset, offset + length)
    },
  }
}

/** `main` with the given page images (file offsets into `wal`) written over it, cut to `commit` pages. */
export function overlay(
  main: Uint8Array,
  wal: Uint8Array,
  pageSize: number,
  pages: ReadonlyMap<number, number>,
  commit: number,
): Uint8Array {
  const image = new Uint8Array(Math.max(main.length, commit * pageSize))
  image.set(main)
  for (const [pgno, offset] of pages) {
    if (pgno <= commit) image.set(wal.subarray(offset, offset + pageSize), (pgno - 1) * pageSize)
  }
  return image.subarray(0, commit * pageSize)
}
