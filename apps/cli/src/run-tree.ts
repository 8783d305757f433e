import { formatTXID } from '@sqlstream/ltx'
import { Replica, type RestoreTarget } from '@sqlstream/replica'
import { type BlobStore, Slots, withPrefix } from '@sqlstream/storage'
import { type CarryOutOptions, carryOutRestore } from './carry-out-restore.ts'
import { CLIError } from './cli-error.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { describeFailure } from './failure.ts'
import { bytesToRead } from './output/restore-report.ts'
import { planFrom } from './restore-plan.ts'
import type { TreeEntryJSON } from './restore-schema.ts'
import type { TreePlace } from './restore-tree.ts'
import { mustBeFree } from './target-free.ts'

const PARALLEL = 4

/** How a tree is restored. */
export interface TreeOptions extends Omit<CarryOutOptions, 'output' | 'onProgress'> {
  readonly dryRun: boolean
  /** Called after each database. */
  readonly onDone: (done: number) => void
}

/** What became of a tree. */
export interface TreeOutcome {
  /** In the order of the places. */
  readonly entries: readonly TreeEntryJSON[]
  /** That of the first failure. */
  readonly exit: ExitCode
}

/** Restores some replicas of a store, several at a time. One that fails does not keep the others from it; an abort ends them all. */
export async function runTree(
  store: BlobStore,
  places: readonly TreePlace[],
  target: RestoreTarget,
  options: TreeOptions,
): Promise<TreeOutcome> {
  const slots = new Slots(PARALLEL)
  const { signal } = options
  let exit: ExitCode = EXIT.ok
  let done = 0
  const one = async (place: TreePlace): Promise<TreeEntryJSON> => {
    try {
      const { replica } = place
      const inner = withPrefix(store, replica === '' ? '' : `${replica}/`)
      return { ...place, ok: true, ...(await restoreOne(new Replica(inner), place, target, options)) }
    } catch (error) {
      signal.throwIfAborted()
      const { exit: code, ...failure } = describeFailure(error)
      if (exit === EXIT.ok) exit = code
      return { ...place, ok: false, error: failure }
    } finally {
      options.onDone(++done)
    }
  }
  // All have ended before the store is let go.
  const results = await Promise.allSettled(places.map((place) => slots.run(() => one(place), { signal })))
  signal.throwIfAborted()
  const entries = results.map((result) => {
    if (result.status === 'rejected') throw result.reason
    return result.value
  })
  return { entries, exit }
}

async function restoreOne(
  replica: Replica,
  { database }: TreePlace,
  target: RestoreTarget,
  options: TreeOptions,
): Promise<Partial<TreeEntryJSON>> {
  const { dryRun, signal } = options
  const planned = await planFrom(replica, await replica.catalog({ signal }), target, { signal })
  const { plan } = planned
  if (dryRun) {
    return {
      txid: formatTXID(plan.txid),
      ...(plan.timestamp && { timestamp: plan.timestamp.toISOString() }),
      bytesToRead: bytesToRead(plan),
    }
  }
  await mustBeFree(database, options)
  const { result, kept } = await carryOutRestore(replica, planned, { ...options, output: database })
  return {
    txid: formatTXID(result.pos.txid),
    timestamp: result.timestamp.toISOString(),
    bytes: result.commit * result.pageSize,
    proven: result.proven,
    ...(kept !== undefined && { kept }),
  }
}

/** @throws CLIError `no-backup` */
export function assertSome(replicas: readonly string[], display: string): void {
  if (replicas.length > 0) return
  throw new CLIError('no-backup', `there is no replica below ${display}`, 'check the URL')
}
