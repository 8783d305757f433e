import {
  type ChainProof,
  type Checksum,
  checksumPage,
  createHeader,
  Encoder,
  type PageSize,
  type TXID,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import { assumeSoleWriter, Replica } from '@sqlstream/replica'
import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import Database from 'better-sqlite3'

export const LEASE = assumeSoleWriter('test')

const FLAG = 1n << 63n

/** A live database whose commits become captures in a store, with what it was after each of them. */
export class History implements Disposable {
  readonly db: Database.Database
  readonly store: BlobStore
  readonly replica: Replica
  readonly pageSize: PageSize
  /** Dumps by TXID; index 0 is nothing. */
  readonly dumps: string[] = ['']
  /** Sizes in pages by TXID. */
  readonly commits: number[] = [0]
  readonly #hasProofs: boolean
  readonly #keepsDumps: boolean
  #image: Uint8Array = new Uint8Array(0)
  #checksum: Checksum = toChecksum(FLAG)

  constructor(
    options: {
      readonly pageSize?: PageSize
      readonly store?: BlobStore
      readonly hasProofs?: boolean
      readonly setup?: string
      /** Default true: remember what the database holds after each commit. */
      readonly keepsDumps?: boolean
    } = {},
  ) {
    this.pageSize = options.pageSize ?? 4096
    this.#hasProofs = options.hasProofs ?? true
    this.#keepsDumps = options.keepsDumps ?? true
    this.db = new Database(':memory:')
    this.db.pragma(`page_size = ${this.pageSize}`)
    if (options.setup) this.db.exec(options.setup)
    this.store = options.store ?? new MemoryStore({ now: () => new Date(timeOf(this.txid)) })
    this.replica = new Replica(this.store)
  }

  get txid(): TXID {
    return toTXID(this.dumps.length - 1)
  }

  get dump(): string {
    return this.dumps[this.dumps.length - 1] as string
  }

  /** Runs SQL and uploads what has changed as one transaction. */
  async commit(sql: string): Promise<TXID> {
    this.db.exec(sql)
    return await this.capture()
  }

  /** Uploads what has changed since the last capture. */
  async capture(): Promise<TXID> {
    const { bytes, txid } = this.encode()
    const range = { minTXID: txid, maxTXID: txid }
    const timestamp = new Date(timeOf(txid))
    await this.replica.writer(LEASE).put(txid === 1n ? 9 : 0, range, bytes, { timestamp })
    return txid
  }

  /** The next capture, which is not uploaded. */
  encode(): { bytes: Uint8Array; txid: TXID } {
    const before = this.#image
    // As the database would be in WAL mode: a reader must make up for it.
    const after = new Uint8Array(this.db.serialize())
    after[18] = 2
    after[19] = 2
    this.#image = after
    this.dumps.push(this.#keepsDumps ? dumpOf(this.db) : '')
    const { pageSize, txid } = this
    const commit = after.byteLength / pageSize
    this.commits.push(commit)
    const preApplyChecksum = this.#checksum
    let sum = preApplyChecksum as bigint
    const pages: { pgno: number; data: Uint8Array }[] = []
    for (let pgno = 1; pgno <= Math.max(commit, before.byteLength / pageSize); pgno++) {
      const old = pageAt(before, pgno, pageSize)
      const data = pageAt(after, pgno, pageSize)
      if (old && data && isSame(old, data) && txid !== 1n) continue
      if (old) sum ^= checksumPage({ pgno, data: old })
      if (data) sum ^= checksumPage({ pgno, data })
      if (data) pages.push({ pgno, data })
    }
    this.#checksum = toChecksum(sum | FLAG)
    const proof = { preApplyChecksum, postApplyChecksum: this.#checksum }
    const bytes = encodeFile({ txid, pageSize, commit, pages, proof: this.#hasProofs ? proof : undefined })
    return { bytes, txid }
  }

  [Symbol.dispose](): void {
    this.db.close()
  }
}

function encodeFile(spec: {
  txid: TXID
  pageSize: PageSize
  commit: number
  pages: readonly { pgno: number; data: Uint8Array }[]
  proof: ChainProof | undefined
}): Uint8Array {
  const { txid, pageSize, commit, pages, proof } = spec
  const encoder = new Encoder(
    createHeader({ pageSize, commit, minTXID: txid, maxTXID: txid, timestamp: timeOf(txid), proof }),
  )
  const parts = [encoder.start().slice()]
  for (const page of pages) parts.push(encoder.page(page).slice())
  parts.push(encoder.finish().slice())
  return Buffer.concat(parts)
}

/** The time of a transaction. */
export function timeOf(txid: TXID | number): number {
  return Date.UTC(2026, 0, 1) + Number(txid) * 1000
}

function pageAt(image: Uint8Array, pgno: number, pageSize: number): Uint8Array | undefined {
  const page = image.subarray((pgno - 1) * pageSize, pgno * pageSize)
  return page.byteLength === pageSize ? page : undefined
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0
}

/** What a database holds, as text: schema, then all rows of its tables. */
export function dumpOf(db: Database.Database): string {
  const all = (sql: string): Record<string, unknown>[] =>
    db.prepare(sql).safeIntegers().all() as Record<string, unknown>[]
  const tables = all(TABLES)
  return dumpText(
    all(SCHEMA),
    tables.map(({ name }) => [String(name), all(`SELECT * FROM "${name}"`)] as const),
  )
}

export const SCHEMA = 'SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY type, name'
export const TABLES = `SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%' ORDER BY name`

export function dumpText(
  schema: readonly Record<string, unknown>[],
  tables: readonly (readonly [string, readonly Record<string, unknown>[]])[],
): string {
  const text = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return Buffer.from(value).toString('hex')
    if (typeof value !== 'bigint') return value
    return Number.isSafeInteger(Number(value)) ? Number(value) : String(value)
  }
  const line = (row: Record<string, unknown>): string => JSON.stringify(Object.values(row).map(text))
  return [...schema.map(line), ...tables.flatMap(([name, rows]) => [name, ...rows.map(line)])].join('\n')
}
