import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { peerOrReason } from '@sqlstream/testkit'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { makeDatabases, startFleet } from './fleet-databases.ts'
import { litestreamIdle } from './litestream-idle.ts'
import { processorSeconds } from './process-figures.ts'

async function idle(context: BenchmarkContext, count: number): Promise<Figure[]> {
  const settleSeconds = { full: 30, quick: 10, tiny: 0 }[context.size]
  const seconds = { full: 60, quick: 10, tiny: 0.2 }[context.size]
  const folder = join(context.folder, `idle-${count}`)
  makeDatabases(join(folder, 'data'), count)
  const options = {
    folder: join(folder, 'data'),
    replica: join(folder, 'replica'),
    restAfterMs: 0,
    maxOpen: 100,
  }
  context.say(`${count} databases: first start`)
  const { child, first } = await startFleet(options)
  await using _child = child
  context.say(`${count} databases: idle`)
  await sleep(settleSeconds * 1000)
  const processor = processorSeconds(child.pid)
  await sleep(seconds * 1000)
  const used = processorSeconds(child.pid) - processor
  const after = await child.ask({ do: 'report' })
  await child.ask({ do: 'stop' })
  await child.ended()
  context.say(`${count} databases: start again`)
  const again = await startFleet(options)
  await using _again = again.child
  await again.child.ask({ do: 'stop' })
  const name = `${count} idle databases`
  return [
    { name: `${name}: first start, with a snapshot of each`, value: first.startMs / 1000, unit: 's' },
    { name: `${name}: start again`, value: again.first.startMs / 1000, unit: 's' },
    { name: `${name}: requests of that`, value: again.first.requests, unit: '' },
    {
      name: `${name}: memory`,
      value: after.residentBytes / 1e6,
      unit: 'MB',
      ...(count === 10_000 && atMost(after.residentBytes / 1e6, 300, 'MB')),
    },
    { name: `${name}: memory after the second start`, value: again.first.residentBytes / 1e6, unit: 'MB' },
    {
      name: `${name}: processor time`,
      value: (100 * used) / seconds,
      unit: '% of a core',
      ...(count === 10_000 && atMost((100 * used) / seconds, 1, '%')),
    },
    {
      name: `${name}: descriptors`,
      value: after.descriptors,
      unit: '',
      ...(count === 10_000 && atMost(after.descriptors, 200, '')),
    },
    {
      name: `${name}: requests while idle`,
      value: after.requests - first.requests,
      unit: '',
      ...atMost(after.requests - first.requests, 0, ''),
    },
  ]
}

/** Many databases in one process, none of which is written. */
export const fleetIdle: Benchmark = {
  title: 'A fleet that is idle',
  description:
    'Databases of 50 KB in folders of a hundred, replicated by one process to a folder, and none is written. Processor time is that of a minute, which begins half a minute after the last of them was found at rest; memory is measured at its end. Litestream has them in its configuration file, each with a folder of its own, and no limit of descriptors.',
  async run(context) {
    const sizes = { full: [10, 100, 1000, 5000, 10_000], quick: [100], tiny: [5] }[context.size]
    const figures: Figure[] = []
    const notes: string[] = []
    const peer = await peerOrReason('litestream-cli')
    if ('reason' in peer) notes.push(peer.reason)
    for (const count of sizes) {
      figures.push(...(await idle(context, count)))
      if ('reason' in peer) continue
      const theirs = await litestreamIdle(context, peer, count)
      if ('reason' in theirs) notes.push(theirs.reason)
      else figures.push(...theirs.figures)
    }
    return { figures, notes }
  },
}
