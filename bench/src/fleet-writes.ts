import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { peerOrReason } from '@sqlstream/testkit'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { Child } from './child.ts'
import type { FleetFigures } from './fleet-child.ts'
import { makeDatabases, startFleet } from './fleet-databases.ts'
import { litestreamWrites } from './litestream-writes.ts'
import { processorSeconds } from './process-figures.ts'
import { quantile } from './statistics.ts'
import type { Turn } from './turns.ts'

/** Milliseconds from each commit to the arrival of the first capture that began after it. */
function latencies(commits: readonly Turn[], arrivals: FleetFigures['arrivals']): number[] {
  const byDatabase = Map.groupBy(arrivals, ([path]) => path)
  return commits.flatMap(([path, time]) => {
    const arrival = byDatabase.get(path)?.find(([, captured]) => captured >= time)
    return arrival === undefined ? [] : [arrival[2] - time]
  })
}

/** Milliseconds from the first write to databases that rest, one to each, until each of them is in its replica. */
async function openAll(
  child: Child<FleetFigures>,
  writer: Child<Turn[]>,
  { busy, rate }: { busy: number; rate: number },
): Promise<number> {
  const arrived = new Set<string>()
  const commits = await writer.ask({ seconds: busy / rate, rate })
  const first = Math.min(...commits.map(([, time]) => time))
  for (;;) {
    const { arrivals } = await child.ask({ do: 'report' })
    for (const [path] of arrivals) arrived.add(path)
    const last = arrivals.at(-1)
    if (arrived.size >= Math.min(busy, commits.length) && last !== undefined) return last[2] - first
    await sleep(50)
  }
}

function secondsOf({ size }: BenchmarkContext): number {
  return { full: 30, quick: 8, tiny: 1 }[size]
}

async function written(
  context: BenchmarkContext,
  { idle, busy, rate, name }: { idle: number; busy: number; rate: number; name: string },
): Promise<Figure[]> {
  const seconds = secondsOf(context)
  const folder = join(context.folder, `written-${idle}-${busy}`)
  const databases = makeDatabases(join(folder, 'data'), idle + busy).slice(0, busy)
  const { child } = await startFleet({
    folder: join(folder, 'data'),
    replica: join(folder, 'replica'),
    restAfterMs: 60_000,
    maxOpen: Math.max(busy, 100),
  })
  await using _child = child
  await using writer = new Child<Turn[]>('turns-main', { databases })
  await writer.receive()
  context.say(name)
  const opened = await openAll(child, writer, { busy, rate })
  // As it goes on, with all of them open.
  await writer.ask({ seconds: Math.max(1, (2 * busy) / rate), rate })
  await sleep(2000)
  await child.ask({ do: 'report' })
  const processor = processorSeconds(child.pid)
  const commits = await writer.ask({ seconds, rate })
  const used = processorSeconds(child.pid) - processor
  await sleep(3000)
  const after = await child.ask({ do: 'stop' })
  await child.ended()
  if (after.failures.length > 0) throw new Error(`the fleet met: ${after.failures.slice(0, 3).join('; ')}`)
  const waits = latencies(commits, after.arrivals)
  return [
    { name: `${name}: from their rest into the replica, all`, value: opened, unit: 'ms' },
    { name: `${name}: commit to replica, p50`, value: quantile(waits, 0.5), unit: 'ms' },
    { name: `${name}: commit to replica, p99`, value: quantile(waits, 0.99), unit: 'ms' },
    {
      name: `${name}: in the replica 3 s after the last`,
      value: (100 * waits.length) / commits.length,
      unit: '%',
    },
    ...keptOut(name, after.writeLocks),
    { name: `${name}: commits`, value: commits.length / seconds, unit: '/s' },
    { name: `${name}: processor time`, value: (100 * used) / seconds, unit: '% of a core' },
    { name: `${name}: memory`, value: after.residentBytes / 1e6, unit: 'MB' },
  ]
}

/** How long writers were kept out; nothing where they never were. */
function keptOut(name: string, times: readonly number[]): Figure[] {
  if (times.length === 0) return []
  const p99 = quantile(times, 0.99)
  return [
    { name: `${name}: writers kept out, times`, value: times.length, unit: '' },
    { name: `${name}: writers kept out, p99`, value: p99, unit: 'ms', ...atMost(p99, 50, 'ms') },
  ]
}

/** Many databases in one process, some of which are written. */
export const fleetWrites: Benchmark = {
  title: 'A fleet that is written',
  description:
    'Databases of 50 KB in folders of a hundred, replicated by one process to a folder. One application has the busy ones open and writes to one after the other; latency is from the return of a commit to the acknowledged file that holds it, with the default interval of a second between two captures of a database. Of Litestream, with its own defaults, it is the time until the file that holds the row has its name in the replica.',
  async run(context) {
    const busy = { full: [10, 100, 1000], quick: [100], tiny: [5] }[context.size]
    const idle = { full: [0, 9, 99, 999, 9999], quick: [0, 99], tiny: [0] }[context.size]
    const figures: Figure[] = []
    const notes: string[] = []
    const peer = await peerOrReason('litestream-cli')
    if ('reason' in peer) notes.push(peer.reason)
    for (const many of busy) {
      const name = `${many} databases, one write a second each`
      figures.push(...(await written(context, { idle: 0, busy: many, rate: many, name })))
      if ('reason' in peer) continue
      const theirs = await litestreamWrites(context, peer, { busy: many, seconds: secondsOf(context), name })
      if ('reason' in theirs) notes.push(theirs.reason)
      else figures.push(...theirs.figures)
    }
    for (const others of idle) {
      const name = `one database among ${others} idle ones, 20 writes a second`
      figures.push(...(await written(context, { idle: others, busy: 1, rate: 20, name })))
    }
    return { figures, notes }
  },
}
