// A fleet in a process of its own, for tests that kill it. Arguments: one JSON object.
import { Replica } from '@sqlstream/replica'
import { withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { Fleet } from '../../src/fleet/fleet.ts'
import { killAt } from '../../src/index.ts'

/** What the parent asks for. */
export interface FleetArguments {
  readonly root: string
  readonly store: string
  readonly databases: number
  /** See killAt. */
  readonly failpoint?: string
}

const o = JSON.parse(process.argv[2] as string) as FleetArguments
// The parent is gone: do not outlive it.
process.on('disconnect', () => process.exit(2))
const store = new FileStore(o.store)
let rested = false
let fleet: Fleet | undefined
fleet = await Fleet.open({
  folder: { path: o.root },
  storeName: 'files',
  replicaOf: ({ destination }) => new Replica(withPrefix(store, destination)),
  restAfterMs: 0,
  primary: {
    syncIntervalMs: 10,
    maintenance: { compaction: { levels: { every: [200, 1000] } } },
    ...(o.failpoint && { failpoint: killAt(o.failpoint) }),
  },
  onEvent: () => queueMicrotask(tell),
})
tell()

/** Says when all rest, and when they do not any more. */
function tell(): void {
  // Events of the start come before there is a fleet.
  const counts = fleet?.counts
  if (counts === undefined || (counts.resting === o.databases) === rested) return
  rested = !rested
  process.send?.(rested ? 'resting' : 'woken')
}
