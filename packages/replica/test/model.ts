import {
  type ChainProof,
  type Checksum,
  checksumPage,
  createHeader,
  createKernel,
  Encoder,
  lockPgno,
  type PageKernel,
  type PageSize,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import type { BlobStore } from '@sqlstream/storage'
import { assumeSoleWriter, type LTXFile, Replica } from '../src/index.ts'

/** One LTX file in short. */
export interface FileSpec {
  readonly min: number
  readonly max: number
  readonly pageSize: PageSize
  readonly commit: number
  readonly pages: ReadonlyMap<number, Uint8Array>
  readonly timestamp?: number
  readonly proof?: ChainProof | undefined
}

const kernels = new Map<PageSize, PageKernel>()

/** One for all files of a page size: it takes longer to make one than to use it. */
function kernelFor(pageSize: PageSize): PageKernel {
  const kernel = kernels.get(pageSize) ?? createKernel({ pageSize, batchBytes: 1 << 16 })
  kernels.set(pageSize, kernel)
  return kernel
}

/** The bytes of an LTX file. */
export function encodeFile(spec: FileSpec): Uint8Array {
  const encoder = new Encoder(
    createHeader({
      pageSize: spec.pageSize,
      commit: spec.commit,
      minTXID: toTXID(BigInt(spec.min)),
      maxTXID: toTXID(BigInt(spec.max)),
      timestamp: spec.timestamp ?? timeOf(spec.max),
      proof: spec.proof,
    }),
    { kernel: kernelFor(spec.pageSize) },
  )
  const parts = [encoder.start().slice()]
  for (const [pgno, data] of [...spec.pages].sort(([a], [b]) => a - b)) {
    parts.push(encoder.page({ pgno, data }).slice())
  }
  parts.push(encoder.finish().slice())
  return concat(parts)
}

/** The time that the model gives a transaction. */
export function timeOf(txid: number): number {
  return Date.UTC(2026, 0, 1) + txid * 1000
}

/** A database in memory that remembers each transaction, for comparing a restore at any TXID. */
export class Model {
  readonly pageSize: PageSize
  /** State after each transaction; index 0 is the empty database. */
  readonly states: State[] = [{ commit: 0, pages: new Map(), changed: new Map(), checksum: toChecksum(FLAG) }]

  constructor(pageSize: PageSize) {
    this.pageSize = pageSize
  }

  get txid(): number {
    return this.states.length - 1
  }

  /** One transaction: the new size in pages, and new content. Pages that the database grows by and that are not given are zero. */
  commit(commit: number, changed: ReadonlyMap<number, Uint8Array>): void {
    const before = this.states[this.txid] as State
    const all = new Map<number, Uint8Array>()
    for (let pgno = before.commit + 1; pgno <= commit; pgno++) {
      if (pgno !== lockPgno(this.pageSize)) all.set(pgno, new Uint8Array(this.pageSize))
    }
    for (const [pgno, data] of changed) all.set(pgno, data)
    const pages = new Map([...before.pages].filter(([pgno]) => pgno <= commit))
    for (const [pgno, data] of all) pages.set(pgno, data)
    this.states.push({ commit, pages, changed: all, checksum: checksumOf(pages) })
  }

  /** The file of the transactions min..max; min 1 makes a snapshot. */
  file(
    min: number,
    max: number,
    options: { readonly proof?: boolean; readonly timestamp?: number } = {},
  ): Uint8Array {
    const before = this.states[min - 1] as State
    const after = this.states[max] as State
    const pages = new Map<number, Uint8Array>()
    for (let txid = min; txid <= max; txid++) {
      for (const pgno of (this.states[txid] as State).changed.keys()) {
        const data = after.pages.get(pgno)
        if (data) pages.set(pgno, data)
      }
    }
    const proof = { preApplyChecksum: before.checksum, postApplyChecksum: after.checksum }
    return encodeFile({
      min,
      max,
      pageSize: this.pageSize,
      commit: after.commit,
      pages: min === 1 ? after.pages : pages,
      proof: options.proof === false ? undefined : proof,
      ...(options.timestamp !== undefined && { timestamp: options.timestamp }),
    })
  }

  /** The database file after a transaction. */
  image(txid: number): Uint8Array {
    const { commit, pages } = this.states[txid] as State
    const image = new Uint8Array(commit * this.pageSize)
    for (const [pgno, data] of pages) image.set(data, (pgno - 1) * this.pageSize)
    return image
  }
}

interface State {
  readonly commit: number
  readonly pages: ReadonlyMap<number, Uint8Array>
  readonly changed: ReadonlyMap<number, Uint8Array>
  readonly checksum: Checksum
}

const FLAG = 1n << 63n

/** Rolling database checksum, slowly and by definition. */
export function checksumOf(pages: ReadonlyMap<number, Uint8Array>): Checksum {
  let sum = FLAG
  for (const [pgno, data] of pages) sum = (sum ^ checksumPage({ pgno, data })) | FLAG
  return toChecksum(sum)
}

/** A page with content that is different for each seed and does not compress to nothing. */
export function pageOf(pageSize: number, seed: number): Uint8Array {
  const page = new Uint8Array(pageSize)
  let state = (seed * 2654435761 + 1) >>> 0
  for (let i = 0; i < pageSize; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    page[i] = i % 4 === 0 ? seed : state >>> 24
  }
  return page
}

/** A page with content that is different for each seed and does not compress at all. */
export function noisePage(pageSize: number, seed: number): Uint8Array {
  const page = new Uint8Array(pageSize)
  let state = (seed + 1) * 2654435761
  for (let i = 0; i < page.length; i++) {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    page[i] = state
  }
  return page
}

/** A small history: snapshot of 6 pages, then changes, growth and a shrink; files in level 0, merges in level 1. */
export function smallHistory(pageSize: PageSize = 512): Model {
  const model = new Model(pageSize)
  const page = (seed: number): Uint8Array => pageOf(pageSize, seed)
  model.commit(6, new Map([1, 2, 3, 4, 5, 6].map((pgno) => [pgno, page(pgno)])))
  model.commit(6, new Map([[3, page(103)]]))
  model.commit(9, new Map([7, 8, 9, 1].map((pgno) => [pgno, page(200 + pgno)])))
  model.commit(4, new Map([[1, page(301)]]))
  model.commit(8, new Map([5, 6, 8, 2].map((pgno) => [pgno, page(400 + pgno)])))
  return model
}

/** A replica with one file for each transaction. */
export async function upload(
  model: Model,
  store: BlobStore,
  options?: { readonly proof?: boolean },
): Promise<Replica> {
  const replica = new Replica(store)
  for (let txid = 1; txid <= model.txid; txid++)
    await put(replica, 0, txid, txid, model.file(txid, txid, options))
  return replica
}

/** Uploads one file. */
export function put(
  replica: Replica,
  level: number,
  min: number,
  max: number,
  body: Uint8Array,
): Promise<LTXFile> {
  const range = { minTXID: toTXID(BigInt(min)), maxTXID: toTXID(BigInt(max)) }
  const timestamp = new Date(timeOf(max))
  return replica.writer(assumeSoleWriter('test')).put(level, range, body, { timestamp })
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.byteLength, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.byteLength
  }
  return bytes
}
