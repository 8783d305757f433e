// A fleet in a process of its own, for tests that kill it. Arguments: one JSON object.
import { appendFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Replica } from '@sqlstream/replica'
import { withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { lastCommit } from '@sqlstream/testkit'
import type { MemberState } from '../../src/fleet/fleet-events.ts'
import { type BehindPolicy, Fleet, killAt } from '../../src/index.ts'

/** What the parent asks for. */
export interface FleetArguments {
  readonly folder: string
  readonly replica: string
  /** Where the writers note their commits, a file for each database. */
  readonly commits: string
  /** Gets a line of JSON each time: the number of the newest commit of each database that is known to be in its replica. */
  readonly durableLog: string
  /** See killAt. */
  readonly failpoint?: string
  /** Default: 50. */
  readonly restAfterMs?: number
  readonly onBehind?: BehindPolicy
}

/** What it says. */
export type FleetMessage =
  | { readonly snapshot: string; readonly of: string }
  /** Why a database cannot be opened, or is not replicated any more. */
  | { readonly refused: string; readonly of: string }
  | { readonly state: MemberState; readonly of: string }
  | { readonly closed: number; readonly incomplete: number }

const o = JSON.parse(process.argv[2] as string) as FleetArguments
const store = new FileStore(o.replica)
const tell = (message: FleetMessage): void => void process.send?.(message)
const fleet = await Fleet.open({
  folder: { path: o.folder },
  replicaOf: ({ destination }) => new Replica(withPrefix(store, destination)),
  storeName: 'files',
  restAfterMs: o.restAfterMs ?? 50,
  logSegmentBytes: 60_000,
  primary: {
    syncIntervalMs: 20,
    checkpointFrames: 200,
    maintenance: 'never',
    ...(o.onBehind !== undefined && { onBehind: o.onBehind }),
    ...(o.failpoint !== undefined && { failpoint: killAt(o.failpoint) }),
  },
  onEvent: (event) => {
    if (event.type === 'open-failed') {
      console.error(event.database.relpath, event.error)
      const { code = event.error.message } = event.error as Error & { code?: string }
      tell({ refused: code, of: event.database.relpath })
    }
    if (event.type === 'member') tell({ state: event.state, of: event.database.relpath })
    if (event.type !== 'primary') return
    if (event.event.type === 'failed') console.error(event.database.relpath, event.event.error)
    if (event.event.type === 'snapshot-started')
      tell({ snapshot: event.event.reason, of: event.database.relpath })
  },
})
let stopping = false
let noted = ''
process.on('message', () => {
  stopping = true
})
// The parent is gone: do not outlive it.
process.on('disconnect', () => {
  if (!stopping) process.exit(2)
})
const names = [...fleet.members].map(({ database }) => basename(database.path))
while (!stopping) {
  // Whatever the writers had acknowledged before the call must be in the replicas after it.
  const committed = names.map((name) => [name, lastCommit(`${o.commits}/${name}`)] as const)
  const line = `${JSON.stringify(Object.fromEntries(committed))}\n`
  // To ask for what is known would wake what rests.
  if (line !== noted && (await fleet.durable()).length === 0) {
    appendFileSync(o.durableLog, line)
    noted = line
  }
  await new Promise((resolve) => setTimeout(resolve, 5))
}
const { pendingFiles, incomplete } = await fleet.close()
tell({ closed: pendingFiles, incomplete: incomplete.length })
process.disconnect()
