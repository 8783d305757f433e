import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import {
  CHECKSUM_FLAG,
  type ChainProof,
  type Checksum,
  checksumPage,
  createHeader,
  Encoder,
  formatFilename,
  lockPgno,
  type PageSize,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import Database from 'better-sqlite3'

/** One state of the database that a builder put into its replica. */
export interface BuiltState {
  readonly txid: number
  readonly timestamp: number
  readonly image: Uint8Array
  readonly dump: string
  readonly file: string
}

/**
 * Makes a replica as the primary does: the first state as level-9 file `1-1`, each later one as a level-0 file
 * with the changed pages, every file with its chain proof and the time that Litestream goes by.
 */
export class ReplicaBuilder {
  readonly states: BuiltState[] = []
  readonly db: Database.Database
  readonly folder: string
  readonly #database: string
  readonly #pageSize: PageSize
  #sum: Checksum = toChecksum(CHECKSUM_FLAG)

  constructor(database: string, folder: string, pageSize: PageSize = 4096) {
    this.#database = database
    this.folder = folder
    this.#pageSize = pageSize
    this.db = new Database(database)
    this.db.pragma(`page_size=${pageSize}`)
    this.db.pragma('journal_mode=WAL')
  }

  /** Adds the present state of the database. */
  commit(sql: string): BuiltState {
    this.db.exec(sql)
    this.db.pragma('wal_checkpoint(TRUNCATE)')
    const image = Uint8Array.from(readFileSync(this.#database))
    const before = this.states.at(-1)
    const txid = this.states.length + 1
    // One second apart, all in the past.
    const timestamp = (before?.timestamp ?? Date.now() - 3_600_000) + 1000
    const postApplyChecksum = rollingChecksum(image, this.#pageSize)
    const proof = { preApplyChecksum: this.#sum, postApplyChecksum }
    const file = this.#write(txid, timestamp, image, before?.image, proof)
    this.#sum = postApplyChecksum
    const dump = execFileSync('/usr/bin/sqlite3', [this.#database, '.dump'], { encoding: 'utf8' })
    const state = { txid, timestamp, image, dump, file }
    this.states.push(state)
    return state
  }

  #write(
    txid: number,
    timestamp: number,
    image: Uint8Array,
    before: Uint8Array | undefined,
    proof: ChainProof,
  ): string {
    const pageSize = this.#pageSize
    const range = { minTXID: toTXID(txid), maxTXID: toTXID(txid) }
    const commit = image.length / pageSize
    const encoder = new Encoder(createHeader({ ...range, pageSize, commit, timestamp, nodeId: 7n, proof }))
    const parts = [encoder.start().slice()]
    for (let at = 0; at < image.length; at += pageSize) {
      const data = image.subarray(at, at + pageSize)
      if (before && Buffer.compare(data, before.subarray(at, at + pageSize)) === 0) continue
      parts.push(encoder.page({ pgno: at / pageSize + 1, data }).slice())
    }
    parts.push(encoder.finish().slice())
    return writeReplicaFile(
      this.folder,
      before === undefined ? 9 : 0,
      formatFilename(range),
      parts,
      timestamp,
    )
  }
}

/** Writes a file of a replica in Litestream's layout for folders, with its time. Returns its path. */
export function writeReplicaFile(
  replica: string,
  level: number,
  name: string,
  parts: readonly Uint8Array[],
  timestamp: number,
): string {
  const path = join(replica, 'ltx', String(level), name)
  mkdirSync(dirname(path), { recursive: true })
  writeFileSync(path, Buffer.concat(parts))
  utimesSync(path, timestamp / 1000, timestamp / 1000)
  return path
}

function rollingChecksum(image: Uint8Array, pageSize: PageSize): Checksum {
  let sum = 0n
  for (let at = 0; at < image.length; at += pageSize) {
    const pgno = at / pageSize + 1
    if (pgno !== lockPgno(pageSize)) sum ^= checksumPage({ pgno, data: image.subarray(at, at + pageSize) })
  }
  return toChecksum(sum | CHECKSUM_FLAG)
}
