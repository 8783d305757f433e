import { constants, copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'better-sqlite3'
import { rowPayloads } from './row-bytes.ts'

const ROW_BYTES = 1900
const ROWS_A_PAGE = 2
const PAGE_SIZE = 4096

/** Makes a closed database of about `bytes` in WAL mode, unless it is there already. */
export function generateDatabase(path: string, bytes: number): void {
  if (existsSync(path)) return
  mkdirSync(dirname(path), { recursive: true })
  const temp = `${path}.partial`
  rmSync(temp, { force: true })
  const db = new Database(temp)
  db.pragma(`page_size=${PAGE_SIZE}`)
  db.pragma('journal_mode=OFF')
  db.pragma('synchronous=OFF')
  db.exec('CREATE TABLE filler(id INTEGER PRIMARY KEY, body BLOB)')
  const insert = db.prepare('INSERT INTO filler(body) VALUES(?)')
  const payloads = rowPayloads(ROW_BYTES)
  const rows = Math.ceil(bytes / PAGE_SIZE) * ROWS_A_PAGE
  db.transaction(() => {
    for (let i = 0; i < rows; i++) insert.run(payloads[i % payloads.length])
  })()
  db.pragma('journal_mode=WAL')
  db.close()
  renameSync(temp, path)
}

/** A copy to be written to; shares the blocks where the file system can. */
export function copyDatabase(from: string, to: string): void {
  copyFileSync(from, to, constants.COPYFILE_FICLONE)
}
