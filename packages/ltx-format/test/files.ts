import {
  CHECKSUM_FLAG,
  type Checksum,
  checksumPage,
  createHeader,
  Decoder,
  Encoder,
  type Header,
  type HeaderInit,
  lockPgno,
  type Page,
  type PageSize,
  type RandomAccessFile,
  type Trailer,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import { streamOf } from './golden.ts'

/** Page bytes that depend on the seed alone; every fourth seed gives bytes that do not compress. */
export function pageData(pageSize: number, seed: number): Uint8Array {
  const data = new Uint8Array(pageSize)
  let state = seed * 2654435761 + 1
  for (let i = 0; i < pageSize; i++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    data[i] = seed % 4 === 0 ? state >>> 24 : state >>> 30
  }
  return data
}

export function page(pgno: number, pageSize = 512, seed = pgno): Page {
  return { pgno, data: pageData(pageSize, seed) }
}

/** Pages first..last without the lock page. */
export function pageRange(first: number, last: number, pageSize: PageSize = 512): Page[] {
  const pages: Page[] = []
  for (let pgno = first; pgno <= last; pgno++)
    if (pgno !== lockPgno(pageSize)) pages.push(page(pgno, pageSize))
  return pages
}

/** A header for transactions min..max. */
export function header(min: number, max: number, commit: number, more: Partial<HeaderInit> = {}): Header {
  return createHeader({
    pageSize: 512,
    commit,
    minTXID: toTXID(min),
    maxTXID: toTXID(max),
    timestamp: 1_795_452_821_931 + max,
    ...more,
  })
}

/** XOR of the pages' checksums with the flag: the checksum of a database that has exactly these pages. */
export function databaseChecksum(pages: readonly Page[]): Checksum {
  return toChecksum(pages.reduce((sum, p) => (sum ^ checksumPage(p)) | CHECKSUM_FLAG, CHECKSUM_FLAG))
}

/** A whole file. */
export function makeFile(head: Header, pages: readonly Page[], postApplyChecksum?: Checksum): Uint8Array {
  const encoder = new Encoder(head)
  const body = [encoder.start(), ...pages.map((p) => encoder.page(p))]
  return Buffer.concat([...body, encoder.finish(postApplyChecksum)])
}

export interface Decoded {
  readonly header: Header
  readonly pages: readonly Page[]
  readonly trailer: Trailer
}

/** Reads and verifies a whole file. */
export async function decodeFile(bytes: Uint8Array, chunkSize?: number): Promise<Decoded> {
  const decoder = await Decoder.open(streamOf(bytes, chunkSize), { batchBytes: 4 * 512 })
  const pages: Page[] = []
  for await (const p of decoder) pages.push(p)
  return { header: decoder.header, pages, trailer: await decoder.finish() }
}

/** Random access to bytes, with a list of the reads that were made. */
export function memoryFile(
  bytes: Uint8Array,
): RandomAccessFile & { readonly reads: [offset: number, length: number][] } {
  const reads: [number, number][] = []
  return {
    size: bytes.byteLength,
    reads,
    read: async (offset, length) => {
      reads.push([offset, length])
      return bytes.subarray(offset, offset + length)
    },
  }
}
