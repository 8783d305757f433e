import type { Region } from './database-page.ts'

/** Some bytes of a row that are of one kind. */
export interface HexPart {
  readonly kind: Region['kind'] | undefined
  /** Two digits a byte, with spaces between. */
  readonly hex: string
}

/** 16 bytes, or a stretch of rows of zeros. */
export interface HexRow {
  readonly offset: number
  readonly parts: readonly HexPart[]
  /** A dot for what cannot be printed. */
  readonly text: string
  /** Rows of zeros that this one stands for, itself among them; 1 for a row that stands for itself. */
  readonly repeats: number
}

const WIDTH = 16

/** Rows of 16 bytes; three and more rows of zeros become one. */
export function hexRows(data: Uint8Array, regions: readonly Region[]): HexRow[] {
  const rows: HexRow[] = []
  for (let offset = 0; offset < data.length; ) {
    const zeros = zeroRows(data, offset)
    const repeats = zeros >= 3 ? zeros : 1
    rows.push(rowAt(data, offset, regions, repeats))
    offset += repeats * WIDTH
  }
  return rows
}

function zeroRows(data: Uint8Array, start: number): number {
  let at = start
  while (at < data.length && data[at] === 0) at++
  return Math.floor((at - start) / WIDTH)
}

function rowAt(data: Uint8Array, offset: number, regions: readonly Region[], repeats: number): HexRow {
  const bytes = data.subarray(offset, offset + WIDTH)
  const parts: { kind: Region['kind'] | undefined; hex: string }[] = []
  let text = ''
  for (const [i, byte] of bytes.entries()) {
    const kind = regions.find(({ from, to }) => offset + i >= from && offset + i < to)?.kind
    const digits = byte.toString(16).padStart(2, '0')
    const last = parts[parts.length - 1]
    if (last && last.kind === kind) last.hex += ` ${digits}`
    else parts.push({ kind, hex: digits })
    text += byte >= 0x20 && byte < 0x7f ? String.fromCharCode(byte) : '·'
  }
  return { offset, parts, text, repeats }
}
