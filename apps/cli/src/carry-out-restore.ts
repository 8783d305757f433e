import {
  headOf,
  type MakePool,
  type PageSink,
  type PlannedRestore,
  type Progress,
  type Replica,
  type RestoreResult,
  restore,
} from '@sqlstream/replica'
import { fileSink, type IntegrityCheck } from '@sqlstream/replica/node'
import { adoptRestored, type KeptFiles, refuseIfOpen, sqliteCheck } from '@sqlstream/replica-core'
import { holdState } from './hold-state.ts'

/** How a database file is written. */
export interface FileOptions {
  readonly check: IntegrityCheck
  /** Replace what is there. */
  readonly force: boolean
  /** Begin with what is there, and replace it. */
  readonly delta: boolean
}

/** How a restore is carried out. */
export interface CarryOutOptions extends FileOptions {
  /** Path of the database. */
  readonly output: string
  /** Write the local state with which `replicate` goes on from here. */
  readonly adopt: boolean
  /** Folder of that state. Default: beside the database. */
  readonly stateDir?: string | undefined
  readonly signal: AbortSignal
  readonly pool: MakePool
  readonly onProgress?: (progress: Progress) => void
}

/** The file that a restore writes: checked by SQLite before it gets its name. */
export function checkedFile(path: string, { check, force, delta }: FileOptions): PageSink {
  return fileSink(path, {
    overwrite: force,
    delta,
    check,
    ...(force || delta ? { mayReplace: refuseIfOpen } : {}),
    ...(check === 'none' ? {} : { runCheck: (path: string) => sqliteCheck(path, check) }),
  })
}

/** What a restore has come to. */
export interface Restored {
  readonly result: RestoreResult
  readonly planned: PlannedRestore
  /** Folder of what had been captured at the target before, and was never uploaded. */
  readonly kept: string | undefined
}

/** Restores a database to a path as it was planned. */
export async function carryOutRestore(
  replica: Replica,
  planned: PlannedRestore,
  options: CarryOutOptions,
): Promise<Restored> {
  const { output, adopt, signal, pool, onProgress } = options
  const held = await holdState(replica, planned, { signal })
  try {
    const { plan, catalog } = held.planned
    const sink = checkedFile(output, options)
    // Before: an abort after the database has its name must not keep it from its local state.
    const identity = adopt ? await replica.identity({ signal }) : undefined
    const result = await restore(replica, plan, sink, { signal, pool, onProgress })
    let kept: KeptFiles | undefined
    if (adopt) {
      kept = await adoptRestored(output, result, {
        head: headOf(catalog) ?? plan.txid,
        ...(options.stateDir !== undefined && { stateDir: options.stateDir }),
        ...(identity === undefined ? {} : { databaseId: identity.databaseId }),
      })
    }
    return { result, planned: held.planned, kept: kept?.folder }
  } finally {
    await held.release()
  }
}
