import { resolve } from 'node:path'
import { databaseKind, withTakenLease } from '@sqlstream/replica-core'
import { CLIError } from '../cli-error.ts'
import type { Roster } from '../control/roster.ts'
import { describeFailure } from '../failure.ts'
import type { ProcessPhase } from '../metrics/health.ts'
import { type Backup, type NamedReplica, openReplica, readBackup } from '../open-replica.ts'
import { eventJSON, eventLine } from '../output/events.ts'
import type { Progress } from '../output/progress.ts'
import type { RunNews } from '../output/run-events.ts'
import type { PairRun } from '../pair-run.ts'
import type { Pair } from '../replication.ts'
import type { RunOptions } from '../run-options.ts'
import { type CopyMark, copyMark, isAsRestored } from './copy-mark.ts'
import { planDatabase, planRefusedStart } from './plan-database.ts'
import { restoreNewest } from './restore-newest.ts'

/** What preparing works with. */
export interface PrepareContext {
  readonly roster: Roster
  readonly run: RunOptions
  readonly news: (news: RunNews) => void
  readonly onPhase: (phase: ProcessPhase) => void
  /** A line of progress, for a terminal. */
  readonly progress: () => Progress
}

/** A database that this process has restored. */
interface OwnCopy {
  readonly restores: number
  readonly mark: CopyMark
}

/**
 * Makes databases ready for an application: what is missing is restored and proven, and every database that is there is replicated, under
 * its lease. Returns those of which there is no backup; the application makes them.
 *
 * @throws what keeps one of them from it
 */
export async function prepareDatabases(pairs: readonly Pair[], context: PrepareContext): Promise<PairRun[]> {
  const copies = new Map<Pair, OwnCopy>()
  const missing: Pair[] = []
  context.onPhase('restoring')
  for (const pair of pairs) {
    const prepared = await prepare(pair, context)
    if (prepared === 'missing') missing.push(pair)
    else if (prepared !== 'there') copies.set(pair, prepared)
  }
  for (const pair of pairs) {
    if (!missing.includes(pair)) await begin(pair, copies.get(pair), context)
  }
  return missing.map((pair) =>
    // Its application runs by then: waiting for another writer would mean two of them.
    context.roster.expect({ ...pair, lease: { ...pair.lease, wait: 'if-silent' } }),
  )
}

async function prepare(pair: Pair, context: PrepareContext): Promise<OwnCopy | 'there' | 'missing'> {
  const { signal } = context.run
  signal.throwIfAborted()
  const local = databaseKind(resolve(pair.database))
  if (planDatabase(local, 'none', { claimed: false }).kind === 'use') return 'there'
  await using named = await open(pair, context)
  let backup = await lookForBackup(named, signal)
  let plan = planDatabase(local, backup === undefined ? 'none' : 'there', { claimed: false })
  if (plan.kind === 'claim') {
    backup = await underLease(named, pair, context, () => lookForBackup(named, signal))
    plan = planDatabase(local, backup === undefined ? 'none' : 'there', { claimed: true })
  }
  if (plan.kind !== 'restore' || backup === undefined) {
    context.news({ type: 'no-backup', source: sourceOf(pair) })
    return 'missing'
  }
  return await restore(named, backup, pair, context, plan.replacesEmpty ? 'empty' : 'nothing')
}

/** Replicates a database that is there. One that was restored here and has become old meanwhile is restored again. */
async function begin(pair: Pair, copy: OwnCopy | undefined, context: PrepareContext): Promise<void> {
  const { roster, run } = context
  // What the replica holds beyond a copy of it is newer, whatever was said about databases that are there.
  const strict: Pair = copy === undefined ? pair : { ...pair, onBehind: 'refuse', onDiverged: 'refuse' }
  for (let own = copy; ; ) {
    context.onPhase('opening')
    try {
      await roster.begin(strict, run.signal)
      return
    } catch (error) {
      const known = { restores: own?.restores ?? 0, untouched: own !== undefined && isAsRestored(own.mark) }
      if (planRefusedStart(describeFailure(error).code, known) === 'give-up') throw error
      context.onPhase('restoring')
      await using named = await open(pair, context)
      const backup = await readBackup(named, { signal: run.signal })
      const again = await restore(named, backup, pair, context, 'older')
      own = { ...again, restores: known.restores + 1 }
    }
  }
}

async function restore(
  named: NamedReplica,
  backup: Backup,
  pair: Pair,
  { run, news, progress }: PrepareContext,
  replaces: 'nothing' | 'empty' | 'older',
): Promise<OwnCopy> {
  const database = resolve(pair.database)
  const source = sourceOf(pair)
  news({ type: 'restoring', source, again: replaces === 'older' })
  const shown = progress()
  try {
    const done = await restoreNewest(named, backup, {
      database,
      stateDir: pair.stateDir,
      replaces,
      signal: run.signal,
      onProgress: ({ bytes, totalBytes }) => shown.update(bytes, totalBytes),
    })
    shown.end()
    news({ type: 'restored', source, done })
    return { restores: 1, mark: copyMark(database) }
  } finally {
    shown.end()
  }
}

/**
 * Looks while nobody else can begin to write there: an empty listing is all that is to be seen of a writer whose first snapshot is under
 * way. It also tells, before the application is started, whether its database can be replicated at all.
 */
async function underLease<T>(
  { store }: NamedReplica,
  pair: Pair,
  { run }: PrepareContext,
  work: () => Promise<T>,
): Promise<T> {
  const { ttlMs, wait, soleWriter } = pair.lease
  return await withTakenLease(store, work, {
    ttlMs,
    wait,
    soleWriter,
    signal: run.signal,
    onWait: ({ owner, epoch, expires, ttlMs }) => {
      const event = { type: 'lease', state: 'waiting', owner, epoch, expires, ttlMs } as const
      if (run.json) run.tell(eventJSON(sourceOf(pair), new Date(), event))
      else run.say(`${pair.database}: ${eventLine(event)}`)
    },
  })
}

/** Undefined when a listing has said that there is nothing. @throws whatever else a store says */
async function lookForBackup(named: NamedReplica, signal: AbortSignal): Promise<Backup | undefined> {
  try {
    return await readBackup(named, { signal })
  } catch (error) {
    if (error instanceof CLIError && error.code === 'no-backup') return undefined
    throw error
  }
}

function open(pair: Pair, { run }: PrepareContext): Promise<NamedReplica> {
  const { drivers, signal, activity } = run
  const { environment } = pair
  return openReplica(pair.url, { drivers, signal, environment, onOperation: activity.operation })
}

function sourceOf({ database, display }: Pair): { database: string; replica: string } {
  return { database, replica: display }
}
