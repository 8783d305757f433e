import { formatFilename, parseFilename, type TXID, type TXIDRange } from '@sqlstream/ltx'

/**
 * Where files lie below the replica's prefix, as Litestream does it per backend:
 * `plain` is `ltx/<level, decimal>/<min>-<max>.ltx`; `s3` is `<level, 4 hex digits>/<min>-<max>.ltx`.
 */
export type Layout = 'plain' | 's3'

/** What a key is in a layout. */
export type ParsedKey =
  | { readonly kind: 'ltx'; readonly level: number; readonly minTXID: TXID; readonly maxTXID: TXID }
  | { readonly kind: 'bad-name' }
  | { readonly kind: 'foreign' }

/** Folder of our own objects (identity, lease, pins). It never matches an LTX key. */
export const OWN_PREFIX = '.sqlstream/'

/** Key of the object that says which database a replica belongs to. */
export const IDENTITY_KEY: string = `${OWN_PREFIX}identity.json`

/** Key of the object that says who writes a replica. */
export const LEASE_KEY: string = `${OWN_PREFIX}lease.json`

/** Key of the object that says since when which files have been unneeded. */
export const DOOMED_KEY: string = `${OWN_PREFIX}doomed.json`

/** Key of the object that says which state was restored and proven last. */
export const PROOF_KEY: string = `${OWN_PREFIX}proof.json`

/** Folder of the objects by which readers hold states. */
export const PINS_PREFIX: string = `${OWN_PREFIX}pins/`

const HIGHEST_LEVEL = 9
const BAD_NAME: ParsedKey = { kind: 'bad-name' }
const FOREIGN: ParsedKey = { kind: 'foreign' }

/** The layout that Litestream uses in the stores of this driver. */
export function layoutOf(driver: string): Layout {
  return driver === 's3' || driver === 'oss' ? 's3' : 'plain'
}

/** The shortest prefix under which every LTX file lies, so that one listing shows all levels and little else. */
export function listingPrefix(layout: Layout): string {
  // Levels 0000 to 0009 share three zeros; ".sqlstream/" and "generations/" are left out by the store.
  return layout === 's3' ? '000' : 'ltx/'
}

/** The key of a file. Throws RangeError for a level outside 0..9. */
export function ltxKey(layout: Layout, level: number, range: TXIDRange): string {
  if (!Number.isInteger(level) || level < 0 || level > HIGHEST_LEVEL) {
    throw new RangeError(`level must be an integer from 0 to ${HIGHEST_LEVEL}, not ${level}`)
  }
  const folder = layout === 's3' ? `000${level}` : `ltx/${level}`
  return `${folder}/${formatFilename(range)}`
}

/**
 * What a key is. Inside the folders of LTX files a name that ends in `.ltx` must parse: such an object may be a part of
 * the history that a reader would otherwise miss without a word, so it is a `bad-name`, not foreign.
 */
export function parseLTXKey(layout: Layout, key: string): ParsedKey {
  const prefix = listingPrefix(layout)
  if (!key.startsWith(prefix)) return FOREIGN
  const rest = key.slice(prefix.length)
  const slash = rest.indexOf('/')
  if (!rest.endsWith('.ltx')) return FOREIGN
  // Only a folder "000x" is one of ours in the s3 layout: "000backup.ltx" or "0001x/a.ltx" is somebody else's.
  if (layout === 's3' && slash !== 1) return FOREIGN
  const folder = rest.slice(0, slash)
  if (slash < 0 || !/^[0-9]$/.test(folder)) return BAD_NAME
  const range = parseFilename(rest.slice(slash + 1))
  if (!range || range.minTXID < 1n || range.minTXID > range.maxTXID) return BAD_NAME
  return { kind: 'ltx', level: Number(folder), minTXID: range.minTXID, maxTXID: range.maxTXID }
}
