import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { Child } from './child.ts'
import type { FleetChildOptions, FleetFigures } from './fleet-child.ts'
import { processorSeconds } from './process-figures.ts'
import { quantile } from './statistics.ts'

const A_FOLDER = 100

/** Copies of one small database, a hundred in a folder. */
function makeDatabases(folder: string, count: number): string[] {
  mkdirSync(folder, { recursive: true })
  const template = join(folder, '..', 'template.db')
  const db = new Database(template)
  db.pragma('journal_mode = WAL')
  db.exec(
    'CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < 300) SELECT randomblob(100) FROM n',
  )
  db.close()
  return Array.from({ length: count }, (_, i) => {
    const path = join(folder, String(Math.floor(i / A_FOLDER)), `${i}.db`)
    if (i % A_FOLDER === 0) mkdirSync(dirname(path), { recursive: true })
    copyFileSync(template, path)
    return path
  })
}

async function startFleet(
  options: FleetChildOptions,
): Promise<{ child: Child<FleetFigures>; first: FleetFigures }> {
  const child = new Child<FleetFigures>('fleet-main', options)
  const first = await child.receive()
  if (first.failures.length > 0) throw new Error(`the fleet met: ${first.failures.slice(0, 3).join('; ')}`)
  return { child, first }
}

async function idle(context: BenchmarkContext, count: number): Promise<Figure[]> {
  const seconds = { full: 30, quick: 10, tiny: 0.2 }[context.size]
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

/** Milliseconds from each commit to the arrival of the first capture that began after it. */
function latencies(
  commits: readonly (readonly [string, number])[],
  arrivals: FleetFigures['arrivals'],
): number[] {
  const byDatabase = Map.groupBy(arrivals, ([path]) => path)
  return commits.flatMap(([path, time]) => {
    const arrival = byDatabase.get(path)?.find(([, captured]) => captured >= time)
    return arrival === undefined ? [] : [arrival[2] - time]
  })
}

async function written(
  context: BenchmarkContext,
  { idle, busy, rate, name }: { idle: number; busy: number; rate: number; name: string },
): Promise<Figure[]> {
  const seconds = { full: 30, quick: 8, tiny: 1 }[context.size]
  const folder = join(context.folder, `written-${idle}-${busy}`)
  const databases = makeDatabases(join(folder, 'data'), idle + busy).slice(0, busy)
  const { child } = await startFleet({
    folder: join(folder, 'data'),
    replica: join(folder, 'replica'),
    restAfterMs: 60_000,
    maxOpen: Math.max(busy, 100),
  })
  await using _child = child
  await using writer = new Child<[string, number][]>('turns-main', { databases })
  await writer.receive()
  context.say(name)
  // The first round opens them.
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
    { name: `${name}: commit to replica, p50`, value: quantile(waits, 0.5), unit: 'ms' },
    { name: `${name}: commit to replica, p99`, value: quantile(waits, 0.99), unit: 'ms' },
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

/** Many databases in one process. */
export const fleet: Benchmark = {
  title: 'A fleet',
  description:
    'Databases of 50 KB in folders of a hundred, replicated by one process to a folder. Idle: none is written. Written: one application has them open and writes to one after the other; latency is from the return of a commit to the acknowledged file that holds it, with the default interval of a second between two captures of a database.',
  async run(context) {
    const sizes = { full: [100, 1000, 5000, 10_000], quick: [100], tiny: [5] }[context.size]
    const figures: Figure[] = []
    for (const count of sizes) figures.push(...(await idle(context, count)))
    const many = { full: 1000, quick: 100, tiny: 5 }[context.size]
    figures.push(
      ...(await written(context, {
        idle: 0,
        busy: many,
        rate: many,
        name: `${many} databases, one write a second each`,
      })),
      ...(await written(context, {
        idle: 0,
        busy: 1,
        rate: 20,
        name: 'one database alone, 20 writes a second',
      })),
      ...(await written(context, {
        idle: sizes.at(-1)! - 1,
        busy: 1,
        rate: 20,
        name: `one database among ${sizes.at(-1)! - 1} idle ones, 20 writes a second`,
      })),
    )
    return { figures, notes: [] }
  },
}
