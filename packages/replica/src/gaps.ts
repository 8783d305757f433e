import { formatTXID, type TXIDRange, toTXID } from '@sqlstream/ltx'
import { type Catalog, filesOf, isLongEnough } from './catalog.ts'

/**
 * The ranges from TXID 1 to the head that no file in any level covers, ascending. Objects too short to be LTX files
 * cover nothing. Empty means: the head can be reached from a snapshot.
 */
export function findGaps(catalog: Catalog): readonly TXIDRange[] {
  const files = filesOf(catalog).sort((a, b) => (a.minTXID < b.minTXID ? -1 : a.minTXID > b.minTXID ? 1 : 0))
  const gaps: TXIDRange[] = []
  let covered = 0n
  let head = 0n
  for (const file of files) {
    if (file.maxTXID > head) head = file.maxTXID
    if (!isLongEnough(file)) continue
    if (file.minTXID > covered + 1n) {
      gaps.push({ minTXID: toTXID(covered + 1n), maxTXID: toTXID(file.minTXID - 1n) })
    }
    if (file.maxTXID > covered) covered = file.maxTXID
  }
  if (head > covered) gaps.push({ minTXID: toTXID(covered + 1n), maxTXID: toTXID(head) })
  return gaps
}

/** A range for people: one TXID, or the first and the last. */
export function formatRange({ minTXID, maxTXID }: TXIDRange): string {
  const first = formatTXID(minTXID)
  return minTXID === maxTXID ? first : `${first} to ${formatTXID(maxTXID)}`
}
