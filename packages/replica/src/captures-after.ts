import type { TXID } from '@sqlstream/ltx'
import { type Catalog, createCatalog, type LTXFile } from './catalog.ts'
import { ltxKey, parseLTXKey } from './layout.ts'
import type { AbortOptions, Replica } from './replica.ts'

/** The captures that end after a state, by a listing that begins there: what is older costs nothing. */
export async function capturesAfter(
  replica: Replica,
  txid: TXID,
  options: AbortOptions = {},
): Promise<Catalog> {
  const next = ltxKey(replica.layout, 0, { minTXID: (txid + 1n) as TXID, maxTXID: (txid + 1n) as TXID })
  const folder = next.slice(0, next.lastIndexOf('/') + 1)
  // Any name that begins with the next TXID comes after this text.
  const startAfter = next.slice(0, folder.length + 16)
  const files: LTXFile[] = []
  for await (const { key, size, modified } of replica.store.list({
    prefix: folder,
    startAfter,
    signal: options.signal,
  })) {
    const parsed = parseLTXKey(replica.layout, key)
    if (parsed.kind !== 'ltx') continue
    files.push({ key, level: 0, minTXID: parsed.minTXID, maxTXID: parsed.maxTXID, size, modified })
  }
  return createCatalog(files)
}
