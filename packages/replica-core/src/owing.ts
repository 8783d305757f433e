import type { TXID } from '@sqlstream/ltx'
import { baseAt, type DatabaseState, type Owed } from './state/owed.ts'
import type { Position } from './state/position.ts'
import { proveSpool } from './state/prove-spool.ts'
import type { SpoolFile } from './state/spool.ts'
import { spoolPages } from './state/spool-pages.ts'

/** What is owed to a replica that is at a base. */
export interface Owing {
  readonly base: DatabaseState
  readonly owed: Owed
}

/**
 * What is owed to the replica if that can lead from its head to the position: it was noted for this position, or for one from which the
 * spool leads here. Then the pages of the spool are owed too, since nothing before them can be uploaded.
 */
export async function findOwing(
  owed: Owed | undefined,
  position: Position,
  { head, files, signal }: { head: TXID; files: readonly SpoolFile[]; signal?: AbortSignal | undefined },
): Promise<Owing | undefined> {
  const base = baseAt(owed, head)
  if (owed === undefined || base === undefined) return undefined
  const here = { txid: position.txid, checksum: position.postApplyChecksum }
  for (const end of owed.ends) {
    if (end.txid > here.txid) continue
    if (end.txid === here.txid) {
      if (end.checksum === here.checksum) return { base, owed: { ...owed, ends: [here] } }
      continue
    }
    if ((await proveSpool(files, end.txid, position, signal)) !== end.checksum) continue
    const pages = owed.pages.copy()
    for (const file of files) if (file.maxTXID > end.txid) pages.addAll(await spoolPages(file))
    return { base, owed: { ...owed, ends: [here], pages } }
  }
  return undefined
}
