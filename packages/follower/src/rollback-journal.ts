// SQLite's rollback journal, as its file format document describes it: a header in a sector of its own, then a record for each old page.

const MAGIC = [0xd9, 0xd5, 0x05, 0xf9, 0x20, 0xa1, 0x63, 0xd7] as const
/** Bytes before the first record. */
export const JOURNAL_HEADER_SIZE = 512

/** What the header of a journal says. */
export interface JournalHeader {
  /** Number of records. */
  readonly records: number
  /** Start of each record's checksum, uint32. */
  readonly nonce: number
  /** Size of the database before, in pages: it is cut or lengthened to that. */
  readonly commit: number
  readonly pageSize: number
}

/** The first sector. */
export function encodeJournalHeader({ records, nonce, commit, pageSize }: JournalHeader): Uint8Array {
  const bytes = new Uint8Array(JOURNAL_HEADER_SIZE)
  bytes.set(MAGIC)
  const view = new DataView(bytes.buffer)
  view.setUint32(8, records)
  view.setUint32(12, nonce)
  view.setUint32(16, commit)
  view.setUint32(20, JOURNAL_HEADER_SIZE)
  view.setUint32(24, pageSize)
  return bytes
}

/** Bytes of one record. */
export function recordSize(pageSize: number): number {
  return pageSize + 8
}

/** Writes the record of a page at the beginning of `target`. */
export function encodeRecord(target: Uint8Array, pgno: number, page: Uint8Array, nonce: number): void {
  const view = new DataView(target.buffer, target.byteOffset, target.byteLength)
  view.setUint32(0, pgno)
  target.set(page, 4)
  view.setUint32(4 + page.byteLength, recordSum(page, nonce))
}

/** Every 200th byte, from the end. SQLite stops a rollback at the first record whose sum differs. */
function recordSum(page: Uint8Array, nonce: number): number {
  let sum = nonce
  for (let i = page.byteLength - 200; i > 0; i -= 200) sum = (sum + (page[i] as number)) >>> 0
  return sum
}
