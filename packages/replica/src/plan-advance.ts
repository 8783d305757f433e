import { type TXID, toTXID } from '@sqlstream/ltx'
import { type Catalog, filesOf, headOf, isLongEnough, type LTXFile } from './catalog.ts'
import { chainAfter } from './chain.ts'

/** How to go on from a state that is at hand. */
export interface AdvancePlan {
  /** Oldest first; none when nothing connects to the state. */
  readonly files: readonly LTXFile[]
  /** The state that results: that of the last file, or the one at hand. */
  readonly txid: TXID
  /** The newest state of the catalog. Where it is another than `txid`, files are missing between: a snapshot may lie beyond. */
  readonly head: TXID
}

/**
 * The files that lead from a state to newer ones, whatever their levels: the newest state that they lead to without a hole, by the least
 * bytes. Snapshots are left out: `planRestore` begins with one. Pure.
 */
export function planAdvance(catalog: Catalog, from: TXID): AdvancePlan {
  const files = chainAfter(filesOf(catalog).filter(isLongEnough), from)
  return { files, txid: files[files.length - 1]?.maxTXID ?? from, head: headOf(catalog) ?? toTXID(0n) }
}
