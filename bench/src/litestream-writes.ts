import { createReadStream, type FSWatcher, watch } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { Decoder, parseFilename } from '@sqlstream/ltx'
import type { LitestreamCLI } from '@sqlstream/testkit'
import type { BenchmarkContext, Figure } from './benchmark.ts'
import { Child } from './child.ts'
import { type LitestreamFleet, levelZero, startLitestreamFleet } from './litestream-fleet.ts'
import { processorSeconds, residentMemory } from './process-figures.ts'
import { quantile, sharedClock } from './statistics.ts'
import { newestTurn, type Turn } from './turns.ts'

/** When files got their names in the replica of one database, on the shared clock. */
type Named = Map<string, number>

/** Notes when files appear in the replicas. What is in them is read later, so that it costs nothing now. */
function watchReplicas(fleet: LitestreamFleet): { readonly named: readonly Named[]; end(): void } {
  const watches: FSWatcher[] = []
  const named = fleet.replicas.map((replica) => {
    const times: Named = new Map()
    watches.push(
      watch(levelZero(replica), (_, name) => {
        if (name?.endsWith('.ltx') && !times.has(name)) times.set(name, sharedClock())
      }),
    )
    return times
  })
  return {
    named,
    end: () => {
      for (const each of watches) each.close()
    },
  }
}

/** When what was committed last in each file arrived, oldest file first. */
async function arrivalsOf(replica: string, named: Named): Promise<{ time: number; turn: number }[]> {
  const files = [...named].flatMap(([name, time]) => {
    const range = parseFilename(name)
    return range === undefined ? [] : [{ name, time, minTXID: range.minTXID }]
  })
  files.sort((a, b) => Number(a.minTXID - b.minTXID))
  const arrivals: { time: number; turn: number }[] = []
  for (const { name, time } of files) {
    const decoder = await Decoder.open(createReadStream(join(levelZero(replica), name)))
    let turn = arrivals.at(-1)?.turn ?? 0
    for await (const page of decoder) turn = Math.max(turn, newestTurn(page.data))
    await decoder.finish()
    arrivals.push({ time, turn })
  }
  return arrivals
}

/** Milliseconds from each commit to the arrival of the first file that holds it. */
async function latencies(
  fleet: LitestreamFleet,
  named: readonly Named[],
  turns: readonly Turn[],
): Promise<number[]> {
  const byDatabase = Map.groupBy(turns, ([path]) => path)
  const waits: number[] = []
  for (const [i, path] of fleet.databases.entries()) {
    const arrivals = await arrivalsOf(fleet.replicas[i] as string, named[i] as Named)
    for (const [, time, turn] of byDatabase.get(path) ?? []) {
      const arrival = arrivals.find((each) => each.turn >= turn)
      if (arrival !== undefined) waits.push(arrival.time - time)
    }
  }
  return waits
}

/** What Litestream costs, and how late it is, when each of many databases is written once a second; or why that is not known. */
export async function litestreamWrites(
  context: BenchmarkContext,
  cli: LitestreamCLI,
  { busy, seconds, name }: { readonly busy: number; readonly seconds: number; readonly name: string },
): Promise<{ readonly figures: readonly Figure[] } | { readonly reason: string }> {
  context.say(`${name}: Litestream`)
  const fleet = await startLitestreamFleet(cli, join(context.folder, `litestream-written-${busy}`), busy)
  if ('reason' in fleet) return fleet
  await using replication = fleet.replication
  await using writer = new Child<Turn[]>('turns-main', { databases: fleet.databases })
  await writer.receive()
  await writer.ask({ seconds: 2, rate: busy })
  await sleep(2000)
  const watched = watchReplicas(fleet)
  const processor = processorSeconds(replication.pid)
  const turns = await writer.ask({ seconds, rate: busy })
  const used = processorSeconds(replication.pid) - processor
  await sleep(3000)
  watched.end()
  const memory = residentMemory(replication.pid)
  const waits = await latencies(fleet, watched.named, turns)
  const theirs = `${name}, Litestream`
  return {
    figures: [
      { name: `${theirs}: commit to replica, p50`, value: quantile(waits, 0.5), unit: 'ms' },
      { name: `${theirs}: commit to replica, p99`, value: quantile(waits, 0.99), unit: 'ms' },
      {
        name: `${theirs}: in the replica 3 s after the last`,
        value: (100 * waits.length) / turns.length,
        unit: '%',
      },
      { name: `${theirs}: commits`, value: turns.length / seconds, unit: '/s' },
      { name: `${theirs}: processor time`, value: (100 * used) / seconds, unit: '% of a core' },
      { name: `${theirs}: memory`, value: memory / 1e6, unit: 'MB' },
    ],
  }
}
