import { formatTXID, parseTXID, type TXIDRange } from './txid.ts'

const NAME = /^([0-9a-f]{16})-([0-9a-f]{16})\.ltx$/

/** `<min>-<max>.ltx`, each 16 lowercase hex digits. */
export function formatFilename(range: TXIDRange): string {
  return `${formatTXID(range.minTXID)}-${formatTXID(range.maxTXID)}.ltx`
}

/** The range in a file name without folders; undefined if it is not exactly such a name, or its range is empty or starts at 0. */
export function parseFilename(name: string): TXIDRange | undefined {
  const match = NAME.exec(name)
  if (!match) return undefined
  const minTXID = parseTXID(match[1]!)
  const maxTXID = parseTXID(match[2]!)
  return minTXID === 0n || minTXID > maxTXID ? undefined : { minTXID, maxTXID }
}
