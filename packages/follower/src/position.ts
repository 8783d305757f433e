import {
  type Checksum,
  formatChecksum,
  formatTXID,
  isPageSize,
  type PageSize,
  parseChecksum,
  parseTXID,
  type TXID,
} from '@sqlstream/ltx'
import { OWN_BYTES } from './page-one.ts'

/** What a copy holds. */
export interface Position {
  readonly txid: TXID
  /** Of all pages as they are in the database. */
  readonly postApplyChecksum: Checksum
  readonly pageSize: PageSize
  /** Pages. */
  readonly commit: number
  /** Header time of `txid`, ms. */
  readonly timestamp: number
  /** The change counter in page 1 of the copy: it tells which of two positions is that of the file. */
  readonly counter: number
  /** See `ownFields`. */
  readonly fields: Uint8Array
}

/** What is noted beside a copy. */
export interface Notes {
  /** Identity of the replica, if it has one. */
  readonly databaseId?: string | undefined
  /** What was applied last. */
  readonly applied: Position
  /** What was about to be applied: it is in the file if the counter there is its own. */
  readonly pending?: Position | undefined
}

/** As one line of JSON. */
export function encodeNotes({ databaseId, applied, pending }: Notes): string {
  return JSON.stringify({
    version: 1,
    ...(databaseId !== undefined && { databaseId }),
    applied: encodePosition(applied),
    ...(pending && { pending: encodePosition(pending) }),
  })
}

/** Reads what `encodeNotes` gave; undefined for anything else. */
export function decodeNotes(text: string): Notes | undefined {
  try {
    const json = JSON.parse(text) as Record<string, unknown>
    if (json['version'] !== 1) return undefined
    const { databaseId, pending } = json
    return {
      ...(typeof databaseId === 'string' && { databaseId }),
      applied: decodePosition(json['applied']),
      ...(pending !== undefined && { pending: decodePosition(pending) }),
    }
  } catch {
    return undefined
  }
}

/** The position whose counter a file has; undefined when it is neither's. */
export function positionOf({ applied, pending }: Notes, counter: number): Position | undefined {
  if (pending?.counter === counter) return pending
  return applied.counter === counter ? applied : undefined
}

function encodePosition(position: Position): Record<string, unknown> {
  const { txid, postApplyChecksum, fields, ...rest } = position
  return {
    txid: formatTXID(txid),
    postApplyChecksum: formatChecksum(postApplyChecksum),
    ...rest,
    fields: Buffer.from(fields).toString('hex'),
  }
}

/** Throws anything for what is no position. */
function decodePosition(value: unknown): Position {
  const { txid, postApplyChecksum, pageSize, commit, timestamp, counter, fields } = value as Record<
    keyof Position,
    unknown
  >
  const bytes = new Uint8Array(Buffer.from(`${fields}`, 'hex'))
  const size = Number(pageSize)
  const numbers = [commit, timestamp, counter]
  if (!isPageSize(size) || bytes.length !== OWN_BYTES || !numbers.every(Number.isSafeInteger)) {
    throw new TypeError('not a position')
  }
  return {
    txid: parseTXID(`${txid}`),
    postApplyChecksum: parseChecksum(`${postApplyChecksum}`),
    pageSize: size,
    commit: commit as number,
    timestamp: timestamp as number,
    counter: counter as number,
    fields: bytes,
  }
}
