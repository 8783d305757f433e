import {
  CHECKSUM_FLAG,
  type Checksum,
  checksumPage,
  createHeader,
  createKernel,
  Encoder,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import { type Level, ltxKey } from '@sqlstream/replica'
import { encodeFile } from './ltx-file.ts'
import { PAGE_SIZE } from './page-codec.ts'
import { rowPayloads } from './row-bytes.ts'

const TABLE_LEAF = 13
const CHANGED_BYTES = 200
/** The pages that most transactions change, as the end of a table or a hot index. */
const HOT_PAGES = 50

/** An object of a replica in S3. */
export interface ReplicaObject {
  readonly key: string
  readonly bytes: Buffer
}

/**
 * The objects of a replica: a snapshot of these pages, and as many files of one transaction each, which writes into a row on some
 * page and into another on one of few pages. What results is a good database. Changes `pages` to it.
 */
export function* smallTransactions(pages: Buffer, files: number): Generator<ReplicaObject, void, undefined> {
  const pageAt = (pgno: number): Buffer => pages.subarray((pgno - 1) * PAGE_SIZE, pgno * PAGE_SIZE)
  const sumOf = (pgno: number): bigint => checksumPage({ pgno, data: pageAt(pgno) }) & ~CHECKSUM_FLAG
  const commit = pages.length / PAGE_SIZE
  const sums = Array.from({ length: commit }, (_, i) => sumOf(i + 1))
  // The first row of such a page ends where the page ends.
  const leaves = sums.map((_, i) => i + 1).filter((pgno) => pgno > 1 && pageAt(pgno)[0] === TABLE_LEAF)
  const payloads = rowPayloads(CHANGED_BYTES)
  const kernel = createKernel({ pageSize: PAGE_SIZE })
  let state = sums.reduce((sum, page) => sum ^ page, 0n)
  const flagged = (sum: bigint): Checksum => toChecksum(sum | CHECKSUM_FLAG)
  const objectOf = (level: Level, txid: number, chunks: readonly Uint8Array[]): ReplicaObject => {
    const key = ltxKey('s3', level, { minTXID: toTXID(txid), maxTXID: toTXID(txid) })
    return { key, bytes: Buffer.concat(chunks) }
  }
  const proof = { preApplyChecksum: flagged(0n), postApplyChecksum: flagged(state) }
  yield objectOf(9, 1, encodeFile(pages, proof))
  for (let i = 0; i < files; i++) {
    const some = leaves[Math.imul(i, 7919) % leaves.length]!
    const hot = leaves.at(-1 - (i % Math.min(HOT_PAGES, leaves.length)))!
    const pgnos = [...new Set([some, hot])].sort((a, b) => a - b)
    const before = state
    for (const [k, pgno] of pgnos.entries()) {
      pageAt(pgno).set(payloads[(i + k) % payloads.length]!, PAGE_SIZE - CHANGED_BYTES)
      const sum = sumOf(pgno)
      state ^= sums[pgno - 1]! ^ sum
      sums[pgno - 1] = sum
      kernel.pages.set(pageAt(pgno), k * PAGE_SIZE)
      kernel.pgnos[k] = pgno
    }
    const txid = i + 2
    const range = { minTXID: toTXID(txid), maxTXID: toTXID(txid) }
    const proof = { preApplyChecksum: flagged(before), postApplyChecksum: flagged(state) }
    const header = createHeader({ ...range, pageSize: PAGE_SIZE, commit, timestamp: txid * 1000, proof })
    const encoder = new Encoder(header, { kernel })
    const chunks = [encoder.start().slice(), encoder.encode(pgnos.length).slice(), encoder.finish()]
    yield objectOf(0, txid, chunks)
  }
}
