import { mkdir } from 'node:fs/promises'
import { dirname } from 'node:path'
import type { TXID } from '@sqlstream/ltx'
import { type Progress, planGeneration, restoreGeneration } from '@sqlstream/replica'
import { createKernelPool } from '@sqlstream/replica/node'
import { carryOutRestore, checkedFile } from '../carry-out-restore.ts'
import type { Backup, NamedReplica } from '../open-replica.ts'
import { planFrom } from '../restore-plan.ts'
import { generationTarget } from '../restore-target.ts'

/** A database that was restored. */
export interface Restoration {
  /** Absent for a backup of Litestream 0.3, which has none. */
  readonly txid?: TXID
  readonly timestamp: Date
  /** Of the database. */
  readonly bytes: number
  /** Its checksum is the one that was captured. */
  readonly proven: boolean
  readonly milliseconds: number
}

/** How the newest state is restored. */
export interface RestoreNewestOptions {
  readonly database: string
  readonly stateDir: string | undefined
  /** What is there: nothing, a file without a byte, or an older state, of which only what has changed is read. */
  readonly replaces: 'nothing' | 'empty' | 'older'
  readonly signal: AbortSignal
  readonly onProgress: (progress: Pick<Progress, 'bytes' | 'totalBytes'>) => void
}

const NEWEST = { kind: 'latest' } as const

/** Restores the newest state of a backup, checked as `restore` checks it, with the local state from which its replication goes on. */
export async function restoreNewest(
  named: NamedReplica,
  backup: Backup,
  options: RestoreNewestOptions,
): Promise<Restoration> {
  const { database, stateDir, replaces, signal, onProgress } = options
  const file = { check: 'quick', force: replaces === 'empty', delta: replaces === 'older' } as const
  const start = performance.now()
  await mkdir(dirname(database), { recursive: true })
  if (backup.kind === 'generations') {
    const plan = planGeneration(backup.generations, generationTarget(NEWEST, undefined))
    const { commit, pageSize } = await restoreGeneration(named.replica, plan, checkedFile(database, file), {
      signal,
      onProgress,
    })
    return {
      timestamp: plan.timestamp,
      bytes: commit * pageSize,
      proven: false,
      milliseconds: Math.round(performance.now() - start),
    }
  }
  const planned = await planFrom(named.replica, backup.catalog, NEWEST, { signal })
  const { result } = await carryOutRestore(named.replica, planned, {
    ...file,
    output: database,
    adopt: true,
    stateDir,
    signal,
    pool: createKernelPool,
    onProgress,
  })
  return {
    txid: result.pos.txid,
    timestamp: result.timestamp,
    bytes: result.commit * result.pageSize,
    proven: result.proven,
    milliseconds: Math.round(performance.now() - start),
  }
}
