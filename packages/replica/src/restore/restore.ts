import { isLTXError } from '@sqlstream/ltx'
import { isStorageError } from '@sqlstream/storage'
import { isReplicaError } from '../errors.ts'
import { intoSink } from '../into-sink.ts'
import { planRestore, type RestorePlan } from '../plan-restore.ts'
import { type MakePool, PoolOnDemand } from '../pool.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import { DamagedFrames } from './block-decoder.ts'
import { FileByFile } from './file-by-file.ts'
import { hasManyReads } from './load-file.ts'
import { PageByPage, type PagesRun, Unproven, type Written } from './page-by-page.ts'
import type { PageSink, Progress, RestoreResult } from './page-sink.ts'

/** How often files of a plan may be found removed, one after the other, before a restore gives up. */
const MOST_REPLANS = 5

/** Options of `restore`. */
export interface RestoreOptions extends AbortOptions {
  /** Called after each chunk that was read. Must be quick and not throw. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Threads to decode with, made and closed here, for plans of 64 MB and more. Default: this thread alone. */
  readonly pool?: MakePool | undefined
}

/**
 * Carries out a plan. Nothing becomes visible in the sink before it is proven.
 *
 * If the newest file tells the checksum of the whole database, only the pages that make up this state are read, each once, many
 * files side by side, and that checksum proves them. Otherwise, or if something does not fit, files are applied one after
 * the other, each read whole and compared with its own checksum, which also tells what is damaged. Files that were removed
 * meanwhile (retention) are replaced by others that lead to the same state; pages that are written already stay.
 *
 * Memory: a page batch per part that is read or decoded (some 20 MB), 8 bytes a page, and 16 bytes for each page of the files
 * that are looked into.
 *
 * Throws ReplicaError `corrupt` (bytes or pages are not what was written), `diverged` (a file was made for another state than
 * the one before it), or what planRestore throws when files are gone and nothing else leads to the state; the store's
 * errors, the sink's errors, `signal.reason`. The sink is aborted first.
 */
export async function restore(
  replica: Replica,
  plan: RestorePlan,
  sink: PageSink,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  if (plan.files[0]?.minTXID !== 1n) throw new TypeError('a plan begins with a snapshot')
  return await intoSink(sink, options.signal, () => carryOut(replica, plan, sink, options))
}

async function carryOut(
  replica: Replica,
  plan: RestorePlan,
  sink: PageSink,
  options: RestoreOptions,
): Promise<RestoreResult> {
  const bytes = plan.files.reduce((sum, { size }) => sum + size, 0)
  const pool = new PoolOnDemand(options.pool, bytes)
  const { signal, onProgress } = options
  const run = { replica, plan, sink, signal, onProgress, pool: pool.for(bytes) }
  try {
    if (hasManyReads(plan)) {
      for (const useBase of [true, false]) {
        const result = await pageByPage({ ...run, useBase, written: undefined })
        if (result === 'unproven') break
        if (typeof result === 'object') return result
        await sink.abort()
        // Without a base the same would come out again.
        if (sink.base === undefined) break
      }
    }
    return await replanning(run, (plan) => new FileByFile({ ...run, plan, pool }).run())
  } finally {
    await pool.close()
  }
}

/** The result, or why whole files must be read. */
async function pageByPage(run: PagesRun): Promise<RestoreResult | 'unproven' | 'damaged'> {
  let written: Written | undefined
  try {
    return await replanning(run, async (plan) => {
      const pages = new PageByPage({ ...run, plan, written })
      try {
        return await pages.run()
      } catch (error) {
        written = pages.written ?? written
        throw error
      }
    })
  } catch (error) {
    if (error instanceof Unproven) return 'unproven'
    if (isDamage(error)) return 'damaged'
    throw error
  }
}

function isDamage(error: unknown): boolean {
  return (
    error instanceof DamagedFrames ||
    isLTXError(error) ||
    isReplicaError(error, 'corrupt') ||
    // The object is shorter than it was listed.
    isStorageError(error, 'range-not-satisfiable')
  )
}

/** Carries a plan out; when a file of it is gone, the next one that leads to the same state. */
async function replanning<T>(
  { replica, plan, signal }: Pick<PagesRun, 'replica' | 'plan' | 'signal'>,
  carryOut: (plan: RestorePlan) => Promise<T>,
): Promise<T> {
  let current = plan
  for (let replans = 0; ; replans++) {
    try {
      return await carryOut(current)
    } catch (error) {
      if (!isStorageError(error, 'not-found') || replans === MOST_REPLANS) throw error
      current = planRestore(await replica.catalog({ signal }), { kind: 'txid', txid: plan.txid })
    }
  }
}
