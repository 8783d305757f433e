// A fleet in a process of its own. Argument: FleetChildOptions. Tells when every database rests, and how it stands whenever it is asked.
import { readdirSync } from 'node:fs'
import { setFlagsFromString } from 'node:v8'
import { Replica } from '@sqlstream/replica'
import { Fleet } from '@sqlstream/replica-core'
import { withObserver, withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import type { FleetChildOptions, FleetFigures } from './fleet-child.ts'
import { sharedClock } from './statistics.ts'

// As `sqlstream replicate --watch` does (ADR 31).
setFlagsFromString('--semi-space-growth-factor=1')
const options = JSON.parse(process.argv[2] ?? '') as FleetChildOptions
let requests = 0
const failures: string[] = []
/** When what was captured of each database had arrived, on the shared clock; pairs of number and time. */
const arrivals: [database: string, captured: number, uploaded: number][] = []
const writeLocks: number[] = []
const captured = new Map<string, number[]>()
const store = withObserver(new FileStore(options.replica), () => requests++)
const started = performance.now()
const fleet = await Fleet.open({
  folder: { path: options.folder },
  // By its name a rest outlives the process.
  storeName: options.replica,
  replicaOf: ({ destination }) => new Replica(withPrefix(store, destination)),
  restAfterMs: options.restAfterMs,
  maxOpen: options.maxOpen,
  onWriteLock: (milliseconds) => writeLocks.push(milliseconds),
  onEvent: (event) => {
    if (event.type === 'open-failed') failures.push(event.error.message)
    if (event.type !== 'primary') return
    const { path } = event.database
    if (event.event.type === 'failed') failures.push(event.event.error.message)
    if (event.event.type === 'captured') {
      const times = captured.get(path) ?? []
      times.push(sharedClock() - event.event.milliseconds)
      captured.set(path, times)
    }
    if (event.event.type === 'uploaded') {
      // Several captures may go up as one file.
      for (const time of captured.get(path)?.splice(0, event.event.captures) ?? [])
        arrivals.push([path, time, sharedClock()])
    }
  },
})

async function resting(): Promise<void> {
  for (;;) {
    const { resting } = fleet.counts
    if (failures.length > 0 || resting === [...fleet.members].length) return
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

function figures(): FleetFigures {
  return {
    startMs: performance.now() - started,
    databases: [...fleet.members].length,
    residentBytes: process.memoryUsage.rss(),
    descriptors: readdirSync('/proc/self/fd').length,
    requests,
    failures,
    arrivals: arrivals.splice(0),
    writeLocks: writeLocks.splice(0),
  }
}

process.on('message', async (message: { do: 'report' | 'stop' }) => {
  if (message.do === 'stop') {
    await fleet.close()
    process.send?.(figures(), () => process.disconnect())
  } else process.send?.(figures())
})
process.on('disconnect', () => process.exit())
await resting()
process.send?.(figures())
