import { closeSync, openSync, readFileSync } from 'node:fs'
import {
  type Checksum,
  createHeader,
  createKernel,
  Encoder,
  lockPgno,
  type PageKernel,
  type PageSize,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import {
  assumeSoleWriter,
  type Layout,
  type LTXFile,
  planRestore,
  Replica,
  runMerge,
} from '@sqlstream/replica'
import type { BlobStore } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'

const FLAG = 1n << 63n

/** What the replica of a database is, one level-0 file a step, without the time that capturing takes. */
export class History implements Disposable {
  readonly folder = new TempFolder('follow')
  readonly store: BlobStore
  readonly replica: Replica
  readonly db: Database.Database
  readonly pageSize: PageSize
  /** The database after each TXID; index 0 is nothing. */
  readonly images: Buffer[] = [Buffer.alloc(0)]
  readonly checksums: Checksum[] = [toChecksum(FLAG)]
  /** Leave out the proofs, as Litestream does. */
  readonly #isProven: boolean
  readonly #files: LTXFile[] = []

  constructor(
    options: {
      readonly pageSize?: PageSize
      readonly proven?: boolean
      readonly store?: BlobStore
      readonly layout?: Layout
    } = {},
  ) {
    const { pageSize = 4096, proven = true } = options
    this.pageSize = pageSize
    this.#isProven = proven
    this.store = options.store ?? new FileStore(this.folder.join('replica'))
    this.replica = new Replica(this.store, options.layout ? { layout: options.layout } : {})
    this.db = new Database(this.folder.join('source.db'))
    this.db.pragma(`page_size = ${pageSize}`)
    this.db.pragma('journal_mode = WAL')
    this.db.pragma('synchronous = OFF')
  }

  get txid(): number {
    return this.images.length - 1
  }

  /** A path in the folder. */
  path(name: string): string {
    return this.folder.join(name)
  }

  /** Runs SQL as one step and uploads what it changed. The first step is the snapshot. */
  async step(sql: string): Promise<LTXFile> {
    this.db.exec(sql)
    return await this.put(this.record())
  }

  /** Takes the state of the database as the next step, without uploading it. */
  record(): number {
    this.db.pragma('wal_checkpoint(TRUNCATE)')
    this.images.push(readFileSync(this.db.name))
    this.checksums.push(checksumOf(this.images.at(-1) as Buffer, this.pageSize))
    return this.txid
  }

  /** Uploads the file of a step. */
  async put(txid: number, options: { readonly as?: number; readonly from?: number } = {}): Promise<LTXFile> {
    const from = options.from ?? txid - 1
    const id = toTXID(BigInt(options.as ?? txid))
    const range = from === 0 ? { minTXID: toTXID(1n), maxTXID: id } : { minTXID: id, maxTXID: id }
    const timestamp = new Date(Date.UTC(2026, 0, 1) + Number(id) * 1000)
    const body = this.encode(from, txid, range, timestamp)
    const writer = this.replica.writer(assumeSoleWriter('test'))
    const file = await writer.put(from === 0 ? 9 : 0, range, body, { timestamp })
    this.#files.push(file)
    return file
  }

  /** The bytes of a file that leads from one state to another. */
  encode(
    from: number,
    to: number,
    range: { readonly minTXID: LTXFile['minTXID']; readonly maxTXID: LTXFile['maxTXID'] },
    timestamp: Date,
  ): Uint8Array {
    const { pageSize } = this
    const [before, after] = [this.images[from] as Buffer, this.images[to] as Buffer]
    const commit = after.length / pageSize
    const proof = {
      preApplyChecksum: this.checksums[from] as Checksum,
      postApplyChecksum: this.checksums[to] as Checksum,
    }
    const header = createHeader({
      pageSize,
      commit,
      ...range,
      timestamp: timestamp.getTime(),
      ...(this.#isProven && { proof }),
    })
    const encoder = new Encoder(header)
    const parts = [encoder.start().slice()]
    for (let pgno = 1; pgno <= commit; pgno++) {
      const [start, end] = [(pgno - 1) * pageSize, pgno * pageSize]
      const data = after.subarray(start, end)
      if (pgno === lockPgno(pageSize) || (end <= before.length && data.equals(before.subarray(start, end))))
        continue
      parts.push(encoder.page({ pgno, data }).slice())
    }
    parts.push(encoder.finish().slice())
    return Buffer.concat(parts)
  }

  /** Merges what leads from one TXID to another into one file of a level. With 1, a snapshot. */
  async merge(level: number, min: number, max: number): Promise<LTXFile> {
    const inputs =
      min === 1
        ? planRestore(await this.replica.catalog(), { kind: 'txid', txid: toTXID(BigInt(max)) }).files
        : this.#files.filter(({ level, minTXID, maxTXID }) => level === 0 && minTXID >= min && maxTXID <= max)
    return await runMerge(this.replica, this.replica.writer(assumeSoleWriter('test')), { level, inputs })
  }

  /** Removes the level-0 files of these TXIDs. */
  async removeCaptures(...txids: readonly number[]): Promise<void> {
    const gone = this.#files.filter(({ level, maxTXID }) => level === 0 && txids.includes(Number(maxTXID)))
    await this.store.delete(gone.map(({ key }) => key))
  }

  [Symbol.dispose](): void {
    this.db.close()
    this.folder.remove()
  }
}

const kernels = new Map<PageSize, PageKernel>()

/** The rolling checksum of an image. */
export function checksumOf(image: Uint8Array, pageSize: PageSize): Checksum {
  const kernel = kernels.get(pageSize) ?? createKernel({ pageSize })
  kernels.set(pageSize, kernel)
  let [low, high] = [0, 0]
  const commit = image.length / pageSize
  for (let first = 1; first <= commit; first += kernel.capacity) {
    const count = Math.min(kernel.capacity, commit - first + 1)
    kernel.pages.set(image.subarray((first - 1) * pageSize, (first - 1 + count) * pageSize))
    for (let i = 0; i < count; i++) kernel.pgnos[i] = first + i
    kernel.checksumPages(count)
    for (let i = 0; i < count; i++) {
      if (first + i === lockPgno(pageSize)) continue
      low ^= kernel.pageSums[2 * i] as number
      high ^= kernel.pageSums[2 * i + 1] as number
    }
  }
  return toChecksum((BigInt(high >>> 0) << 32n) | BigInt(low >>> 0) | FLAG)
}

/** The bytes of a copy with what every copy has of its own set to that of the image that it should be. */
export function comparable(path: string, image: Buffer): Buffer {
  const fd = openSync(path, 'r')
  try {
    const bytes = readFileSync(fd)
    for (const [start, end] of [
      [18, 20],
      [24, 32],
      [40, 44],
      [92, 96],
    ] as const)
      image.copy(bytes, start, start, end)
    return bytes
  } finally {
    closeSync(fd)
  }
}
