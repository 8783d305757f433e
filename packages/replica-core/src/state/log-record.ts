import { crc64, type TXID, toTXID } from '@sqlstream/ltx'

/** Length, kind, seat: before the content of each record. A CRC-64 follows it. */
const HEAD = 16
const CRC = 8
const TXID_SIZE = 8
/** One byte in the word of the length would do; words keep what follows aligned. */
const KINDS = { seat: 1, capture: 2, acknowledged: 3 } as const

/** Names a seat in a log: 32 random bits twice, so that they can be compared and written without a BigInt. */
export interface SeatName {
  readonly high: number
  readonly low: number
}

/** One record of a log of captures. */
export type LogRecord = { readonly seat: SeatName } & (
  | { readonly kind: 'seat'; readonly stateFolder: string }
  /** `journalRecord` as the journal of the database will have it; `content` is the level-0 file, empty when it lies in the spool, or where no page changed. */
  | { readonly kind: 'capture'; readonly journalRecord: Uint8Array; readonly content: Uint8Array }
  /** The replica has everything up to here. */
  | { readonly kind: 'acknowledged'; readonly txid: TXID }
)

const text = new TextEncoder()

/** Says whose records follow under the name of a seat in this segment. */
export function seatRecord(seat: SeatName, stateFolder: string): Uint8Array[] {
  return record(KINDS.seat, seat, [text.encode(stateFolder)])
}

/** A capture: its record in the journal, and its file. */
export function captureRecord(
  seat: SeatName,
  journalRecord: Uint8Array,
  content: Uint8Array | undefined,
): Uint8Array[] {
  return record(KINDS.capture, seat, content ? [journalRecord, content] : [journalRecord])
}

/** What is in the replica. */
export function acknowledgedRecord(seat: SeatName, txid: TXID): Uint8Array[] {
  const content = new Uint8Array(TXID_SIZE)
  new DataView(content.buffer).setBigUint64(0, txid)
  return record(KINDS.acknowledged, seat, [content])
}

/** The parts of a record, none of them copied. */
function record(kind: number, seat: SeatName, content: readonly Uint8Array[]): Uint8Array[] {
  const length = content.reduce((sum, part) => sum + part.length, HEAD + CRC)
  const head = new Uint8Array(HEAD)
  const view = new DataView(head.buffer)
  view.setUint32(0, length)
  view.setUint32(4, kind)
  view.setUint32(8, seat.high)
  view.setUint32(12, seat.low)
  let sum = crc64(head)
  for (const part of content) sum = crc64(part, sum)
  const tail = new Uint8Array(CRC)
  new DataView(tail.buffer).setBigUint64(0, sum)
  return [head, ...content, tail]
}

/** The records of a segment up to the first that is not whole, and how many bytes they take. */
export function readRecords(bytes: Uint8Array): { readonly records: LogRecord[]; readonly length: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length)
  const records: LogRecord[] = []
  let at = 0
  while (at + HEAD + CRC <= bytes.length) {
    const length = view.getUint32(at)
    const end = at + length
    if (length < HEAD + CRC || end > bytes.length) break
    if (view.getBigUint64(end - CRC) !== crc64(bytes.subarray(at, end - CRC))) break
    const seat = { high: view.getUint32(at + 8), low: view.getUint32(at + 12) }
    const record = decode(view.getUint32(at + 4), seat, bytes.subarray(at + HEAD, end - CRC))
    if (record === undefined) break
    records.push(record)
    at = end
  }
  return { records, length: at }
}

function decode(kind: number, seat: SeatName, content: Uint8Array): LogRecord | undefined {
  const view = new DataView(content.buffer, content.byteOffset, content.length)
  switch (kind) {
    case KINDS.seat:
      return { seat, kind: 'seat', stateFolder: new TextDecoder().decode(content) }
    case KINDS.capture: {
      const length = content.length < 4 ? 0 : view.getUint32(0)
      if (length < 4 || length > content.length) return undefined
      return {
        seat,
        kind: 'capture',
        journalRecord: content.subarray(0, length),
        content: content.subarray(length),
      }
    }
    case KINDS.acknowledged:
      return content.length === TXID_SIZE
        ? { seat, kind: 'acknowledged', txid: toTXID(view.getBigUint64(0)) }
        : undefined
    default:
      return undefined
  }
}
