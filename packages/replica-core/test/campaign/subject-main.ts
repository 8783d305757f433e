// What the campaign attacks: a primary, or a fleet, in a process of its own. Arguments: one JSON object. Faults that a
// process can only do to itself are asked for by message.
import { appendFileSync, existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { createRetentionPolicy, Replica } from '@sqlstream/replica'
import { type Fault, withFaults, withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { lastCommit } from '@sqlstream/testkit'
import {
  type BehindPolicy,
  type Failpoint,
  Fleet,
  killAt,
  Primary,
  type PrimaryEvent,
} from '../../src/index.ts'
import { CaptureLog } from '../../src/state/capture-log.ts'

/** What the parent asks for. */
export interface SubjectArguments {
  readonly mode: 'primary' | 'primary with a log' | 'fleet'
  readonly data: string
  readonly names: readonly string[]
  readonly replica: string
  /** Commit logs by database. */
  readonly commits: Readonly<Record<string, readonly string[]>>
  /** Gets a line of JSON each time: the newest commit of each database that is known to be in its replica. */
  readonly durableLog: string
  /** Of the single primary. */
  readonly stateDir: string
  readonly policy: BehindPolicy
  readonly skewMs: number
  readonly failpoint?: string
}

/** What the parent may say. */
export interface Order {
  /** Steps that fail from now on, and how. */
  readonly failing?: { readonly at: readonly Failpoint[]; readonly code: string }
  readonly skewMs?: number
  readonly store?: 'healthy' | 'failing' | 'answers lost' | 'cut lists and bodies' | 'slow'
}

/** What it says: why a database is not replicated. */
export interface Refusal {
  readonly refused: string
  readonly database: string
  readonly message: string
}

/** Once for each database: what had been committed before is in its replica. */
export interface Reached {
  readonly durable: string
}

/** And what else happens to it. */
export interface Report {
  readonly event: string
  readonly message: string
}

const o = JSON.parse(process.argv[2] as string) as SubjectArguments
const slowly = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 40))
const PLANS: Record<NonNullable<Order['store']>, readonly Fault[]> = {
  healthy: [],
  failing: (['list', 'head', 'get', 'put', 'delete'] as const).map((operation) => ({
    operation,
    fault: 'fail',
  })),
  'answers lost': [
    { operation: 'put', fault: 'applied-but-failed' },
    { operation: 'delete', fault: 'applied-but-failed' },
  ],
  'cut lists and bodies': [
    { operation: 'list', fault: 'cut', entries: 1 },
    { operation: 'get', fault: 'truncate', bytes: 60 },
  ],
  slow: (['list', 'head', 'get', 'put', 'delete'] as const).map((operation) => ({
    operation,
    fault: 'delay',
    wait: slowly,
  })),
}
const store = withFaults(new FileStore(o.replica), [])
const kill = o.failpoint === undefined ? undefined : killAt(o.failpoint)
let failing: NonNullable<Order['failing']> = { at: [], code: 'ENOSPC' }
let skewMs = o.skewMs
let stopping = false

function failpoint(name: Failpoint): void {
  kill?.(name)
  if (failing.at.includes(name)) throw Object.assign(new Error(`made to fail: ${failing.code}`), failing)
}
function refuse(database: string, error: unknown): void {
  const { code = 'unknown', message } = error as Error & { code?: string }
  process.send?.({ refused: code, database, message } satisfies Refusal)
}
function report(event: string, message: string): void {
  process.send?.({ event, message } satisfies Report)
}
function heard(database: string, event: PrimaryEvent): void {
  if (event.type === 'state' && event.to === 'fenced')
    refuse(database, Object.assign(new Error('fenced'), { code: 'fenced' }))
  if (event.type === 'failed') report(`${event.operation} failed`, event.error.message)
  if (event.type === 'resynced' || event.type === 'snapshot-started') report(event.type, event.reason)
  if (event.type === 'state') report('state', event.to)
}

process.on('message', (order: Order | 'stop') => {
  if (order === 'stop') stopping = true
  else {
    if (order.failing) failing = order.failing
    if (order.skewMs !== undefined) skewMs = order.skewMs
    if (order.store) store.setPlan(PLANS[order.store])
  }
})
// The parent is gone: do not outlive it.
process.on('disconnect', () => {
  if (!stopping) process.exit(2)
})

const shared = {
  syncIntervalMs: 20,
  checkpointFrames: 200,
  onBehind: o.policy,
  onDiverged: o.policy,
  lease: { ttlMs: 3000 },
  now: () => Date.now() + skewMs,
  failpoint,
  maintenance: {
    compaction: { levels: { every: [500, 3000] as const }, snapshots: { growth: 3 } },
    retention: createRetentionPolicy({ keep: [{ every: 'capture', for: 600_000 }], grace: 60_000 }),
    retainEveryMs: 500,
  },
}

/** Waits for durability; returns the databases where it failed. */
let durable: () => Promise<ReadonlySet<string>>
let close: () => Promise<void>
if (o.mode === 'fleet') {
  const fleet = await Fleet.open({
    folder: { path: o.data },
    replicaOf: ({ destination }) => new Replica(withPrefix(store, destination)),
    storeName: 'campaign',
    restAfterMs: 50,
    logSegmentBytes: 60_000,
    primary: shared,
    onEvent: (event) => {
      if (event.type === 'open-failed') refuse(event.database.relpath, event.error)
      if (event.type === 'primary') heard(event.database.relpath, event.event)
    },
  })
  durable = async () => {
    const known = new Set([...fleet.members].map(({ database }) => database.relpath))
    const failed = new Set((await fleet.durable()).map(({ database }) => database.relpath))
    return new Set(o.names.filter((name) => !known.has(name) || failed.has(name)))
  }
  close = async () => void (await fleet.close())
} else {
  const name = o.names[0] as string
  try {
    const log =
      o.mode === 'primary'
        ? undefined
        : await CaptureLog.open(join(o.stateDir, '../log'), { segmentBytes: 100_000, failpoint })
    const primary = await Primary.open(
      {
        ...shared,
        database: join(o.data, name),
        stateDir: o.stateDir,
        replica: new Replica(withPrefix(store, `${name}/`)),
        onEvent: (event) => heard(name, event),
      },
      { log },
    )
    durable = async () => {
      try {
        await primary.durable()
        return new Set()
      } catch {
        return new Set([name])
      }
    }
    close = async () => {
      await primary.close()
      await log?.close()
    }
  } catch (error) {
    refuse(name, error)
    await new Promise((resolve) => setImmediate(resolve))
    process.exit(4)
  }
}
process.send?.('ready')
const reached: Record<string, number> = existsSync(o.durableLog)
  ? JSON.parse(readFileSync(o.durableLog, 'utf8').trimEnd().split('\n').at(-1) as string)
  : {}
const told = new Set<string>()
while (!stopping) {
  let pauseMs = 5
  try {
    // Whatever the writers had acknowledged before the call must be in the replicas after it.
    const committed = o.names.map(
      (name) => [name, Math.max(...(o.commits[name] ?? []).map(lastCommit))] as const,
    )
    const failed = await durable()
    for (const [name, n] of committed) if (!failed.has(name)) reached[name] = n
    appendFileSync(o.durableLog, `${JSON.stringify(reached)}\n`)
    for (const name of o.names) {
      if (failed.has(name) || told.has(name)) continue
      told.add(name)
      process.send?.({ durable: name } satisfies Reached)
    }
    if (failed.size > 0) pauseMs = 50
  } catch (error) {
    // The faults hit this program too: it may have no descriptor left for its own files.
    report('the notes', (error as Error).message)
    pauseMs = 50
  }
  await new Promise((resolve) => setTimeout(resolve, pauseMs))
}
await close()
process.disconnect()
