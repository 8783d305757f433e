import { randomBytes } from 'node:crypto'

/** A commit to one of many databases, when it returned on the shared clock, and its number, which its row holds. */
export type Turn = readonly [database: string, time: number, number: number]

const MARK = Buffer.from('turn')
const ROW_BYTES = 100

/** The row of a turn: its number behind a mark, then noise. */
export function turnRow(number: number): Buffer {
  const row = randomBytes(ROW_BYTES)
  MARK.copy(row)
  row.writeUInt32BE(number, MARK.length)
  return row
}

/** The newest turn whose row is in these bytes of pages; 0 if none is. */
export function newestTurn(pages: Uint8Array): number {
  const bytes = Buffer.from(pages.buffer, pages.byteOffset, pages.byteLength)
  let newest = 0
  for (let at = bytes.indexOf(MARK); at >= 0; at = bytes.indexOf(MARK, at + 1)) {
    if (at + MARK.length + 4 <= bytes.length) newest = Math.max(newest, bytes.readUInt32BE(at + MARK.length))
  }
  return newest
}
