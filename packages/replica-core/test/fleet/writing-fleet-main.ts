// A fleet in a process of its own, for tests that kill it. Arguments: one JSON object.
import { appendFileSync } from 'node:fs'
import { basename } from 'node:path'
import { Replica } from '@sqlstream/replica'
import { withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { lastCommit } from '@sqlstream/testkit'
import { Fleet, killAt } from '../../src/index.ts'

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
}

const o = JSON.parse(process.argv[2] as string) as FleetArguments
const store = new FileStore(o.replica)
const fleet = await Fleet.open({
  folder: { path: o.folder },
  replicaOf: ({ destination }) => new Replica(withPrefix(store, destination)),
  restAfterMs: 50,
  logSegmentBytes: 60_000,
  primary: {
    syncIntervalMs: 20,
    checkpointFrames: 200,
    maintenance: 'never',
    ...(o.failpoint !== undefined && { failpoint: killAt(o.failpoint) }),
  },
  onEvent: (event) => {
    if (event.type === 'open-failed') console.error(event.database.relpath, event.error)
    if (event.type !== 'primary') return
    if (event.event.type === 'failed') console.error(event.database.relpath, event.event.error)
    if (event.event.type === 'snapshot-started')
      process.send?.({ snapshot: event.event.reason, of: event.database.relpath })
  },
})
let stopping = false
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
  const failures = await fleet.durable()
  if (failures.length === 0)
    appendFileSync(o.durableLog, `${JSON.stringify(Object.fromEntries(committed))}\n`)
  await new Promise((resolve) => setTimeout(resolve, 5))
}
const { pendingFiles, incomplete } = await fleet.close()
process.send?.({ closed: pendingFiles, incomplete: incomplete.length })
process.disconnect()
