import { resolve } from 'node:path'
import { formatTXID, type TXID } from '@sqlstream/ltx'
import { CLIError } from '../cli-error.ts'
import { describeFailure } from '../failure.ts'
import type { FolderReplication } from '../folder-replication.ts'
import type { DatabaseStatus } from '../library/report.ts'
import type { Wire } from '../library/wire.ts'
import type { Replication } from '../replication.ts'

/** What an engine replicates. */
export interface Work {
  readonly pairs: readonly Replication[]
  readonly folders: readonly FolderReplication[]
}

/** A database that can be waited for. */
export interface Target {
  readonly database: string
  durable(signal: AbortSignal): Promise<TXID>
  sync(signal: AbortSignal): Promise<TXID>
}

/**
 * The databases that a call is about.
 * @param folder relative paths are relative to it
 * @throws CLIError `usage`
 */
export function targetsOf(
  work: Work,
  folder: string,
  { database, one = false }: { readonly database?: string; readonly one?: boolean },
): readonly Target[] {
  const all = allTargets(work)
  if (database === undefined) {
    if (!one || all.length === 1) return all
    const hint = 'say which one: { database: <path> }; durableAll waits for all of them'
    throw new CLIError('usage', `there is not one database here but ${all.length}`, hint)
  }
  const path = resolve(folder, database)
  const found = all.find((target) => target.database === path)
  if (found === undefined) throw new CLIError('usage', `${path} is not replicated here`)
  return [found]
}

function allTargets({ pairs, folders }: Work): Target[] {
  const ofPairs = pairs.map(
    (each): Target => ({
      database: each.pair.database,
      durable: (signal) => each.durable(signal),
      sync: (signal) => each.sync(signal),
    }),
  )
  const ofFolders = folders.flatMap(({ members }) =>
    [...members].map(
      (member): Target => ({
        database: member.database.path,
        durable: async (signal) => (await member.durable(signal)).txid,
        sync: async () => {
          throw new CLIError('usage', 'sync is not for the databases of a folder', 'durable is')
        },
      }),
    ),
  )
  return [...ofPairs, ...ofFolders]
}

/** How everything stands. */
export function statusOf({ pairs, folders }: Work): Wire<readonly DatabaseStatus[]> {
  const ofPairs = pairs.map(({ pair, status, display }) => ({
    database: pair.database,
    replica: display,
    state: status.state,
    ...(status.captured && { captured: { txid: formatTXID(status.captured.txid) } }),
    ...(status.uploaded !== undefined && { uploaded: { txid: formatTXID(status.uploaded) } }),
    pendingFiles: status.pendingFiles,
    ...lastError(status.lastError),
  }))
  const ofFolders = folders.flatMap((folder) =>
    [...folder.rows()].map(
      ({ database, replica, state, captured, uploaded, pendingFiles, lastError: error }) => ({
        database,
        replica,
        state,
        ...(captured !== undefined && { captured: { txid: formatTXID(captured) } }),
        ...(uploaded !== undefined && { uploaded: { txid: formatTXID(uploaded) } }),
        pendingFiles,
        ...lastError(error),
      }),
    ),
  )
  return [...ofPairs, ...ofFolders]
}

function lastError(error: Error | undefined): Pick<DatabaseStatus, 'lastError'> {
  if (error === undefined) return {}
  const { code, message, hint } = describeFailure(error)
  return { lastError: { code, message, ...(hint === undefined ? {} : { hint }) } }
}
