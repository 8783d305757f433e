import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { join } from 'node:path'
import { Replica } from '@sqlstream/replica'
import { Primary } from '@sqlstream/replica-core'
import { FileStore } from '@sqlstream/storage-file'
import { Application, type ApplicationReply } from './application.ts'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { quantile, sharedClock } from './statistics.ts'

/** A moment at which everything up to a place in the WAL had arrived. */
interface Arrival {
  readonly salt1: number
  readonly salt2: number
  readonly frame: number
  readonly txid: bigint
  /** On the shared clock. */
  readonly captured: number
  uploaded: number
}

interface Latencies {
  readonly spool: readonly number[]
  readonly store: readonly number[]
}

/** Milliseconds from the return of each commit to the first arrival that covers it. */
function match({ times, places }: ApplicationReply, arrivals: readonly Arrival[]): Latencies {
  const generations = new Map<string, number>()
  for (let i = 0; i < times.length; i++) {
    const name = `${places[3 * i]} ${places[3 * i + 1]}`
    if (!generations.has(name)) generations.set(name, generations.size)
  }
  // What was captured of a generation in which none of these commits was came before all of them.
  const known = arrivals.flatMap((arrival) => {
    const generation = generations.get(`${arrival.salt1} ${arrival.salt2}`)
    return generation === undefined ? [] : [{ ...arrival, generation }]
  })
  const spool: number[] = []
  const store: number[] = []
  let next = 0
  for (let i = 0; i < times.length; i++) {
    const generation = generations.get(`${places[3 * i]} ${places[3 * i + 1]}`) ?? 0
    const frame = places[3 * i + 2] ?? 0
    const covers = (arrival: (typeof known)[number]): boolean =>
      arrival.generation > generation || (arrival.generation === generation && arrival.frame >= frame)
    while (next < known.length && !covers(known[next]!)) next++
    const arrival = known[next]
    if (arrival === undefined) throw new Error(`commit ${i} never arrived`)
    spool.push(arrival.captured - times[i]!)
    store.push(arrival.uploaded - times[i]!)
  }
  return { spool, store }
}

/** What it takes to make one small file durable here: written, synced, renamed, its folder synced. */
function durableFile(folder: string, rounds: number): number {
  const samples: number[] = []
  const bytes = new Uint8Array(4096)
  for (let i = 0; i < rounds; i++) {
    const started = performance.now()
    const fd = openSync(join(folder, 'file.tmp'), 'w')
    writeSync(fd, bytes)
    fsyncSync(fd)
    closeSync(fd)
    renameSync(join(folder, 'file.tmp'), join(folder, `file-${i % 10}`))
    const parent = openSync(folder, 'r')
    fsyncSync(parent)
    closeSync(parent)
    samples.push(performance.now() - started)
  }
  return quantile(samples, 0.5)
}

interface Replication extends AsyncDisposable {
  readonly primary: Primary
  readonly arrivals: Arrival[]
}

async function replicate(database: string, replica: string): Promise<Replication> {
  const arrivals: Arrival[] = []
  let toUpload = 0
  const primary = await Primary.open({
    database,
    replica: new Replica(new FileStore(replica)),
    syncIntervalMs: 0,
    onEvent: (event) => {
      if (event.type === 'captured') {
        const { txid } = event.pos
        arrivals.push({ ...event.wal, txid, captured: sharedClock(), uploaded: Number.NaN })
      } else if (event.type === 'uploaded') {
        const now = sharedClock()
        for (; toUpload < arrivals.length && arrivals[toUpload]!.txid <= event.file.maxTXID; toUpload++) {
          arrivals[toUpload]!.uploaded = now
        }
      }
    },
  })
  return { primary, arrivals, [Symbol.asyncDispose]: async () => void (await primary.close()) }
}

async function atPace(context: BenchmarkContext, rate: number, floor: number): Promise<Figure[]> {
  const seconds = { full: 20, quick: 4, tiny: 0.5 }[context.size]
  const database = join(context.folder, `at-${rate}.db`)
  await using application = await Application.start({ database })
  await application.commit()
  await using replication = await replicate(database, join(context.folder, `at-${rate}-replica`))
  await replication.primary.durable()
  const written = await application.write({ seconds, rate, marks: true })
  await replication.primary.durable()
  const { spool, store } = match(written, replication.arrivals)
  const than = 'making one file durable'
  const line = (name: string, sample: readonly number[], part: number, limit: number): Figure => {
    const value = quantile(sample, part)
    const percent = `p${part * 100}`
    return {
      name: `${name}, ${percent}`,
      value,
      unit: 'ms',
      ratio: value / floor,
      than,
      ...atMost(value, limit, 'ms'),
    }
  }
  await application.close()
  return [
    line(`${rate} tx/s: commit to local spool`, spool, 0.5, 15),
    line(`${rate} tx/s: commit to local spool`, spool, 0.99, 25),
    line(`${rate} tx/s: commit to file store`, store, 0.5, 25),
    line(`${rate} tx/s: commit to file store`, store, 0.99, 100),
  ]
}

/** The application commits and asks at once that it be safe. */
async function roundTrips(context: BenchmarkContext, floor: number): Promise<Figure[]> {
  const rounds = { full: 300, quick: 50, tiny: 5 }[context.size]
  const database = join(context.folder, 'round-trip.db')
  await using application = await Application.start({ database })
  await application.commit()
  await using replication = await replicate(database, join(context.folder, 'round-trip-replica'))
  await replication.primary.durable()
  const sample: number[] = []
  for (let i = 0; i < rounds; i++) {
    await application.commit()
    const started = performance.now()
    await replication.primary.durable()
    sample.push(performance.now() - started)
  }
  await application.close()
  return [0.5, 0.99].map((part) => {
    const value = quantile(sample, part)
    const name = `durable() after a commit, p${part * 100}`
    return { name, value, unit: 'ms', ratio: value / floor, than: 'making one file durable' }
  })
}

/** From the commit of the application to where it survives a crash of the machine, or its loss. */
export const latency: Benchmark = {
  title: 'Latency',
  description:
    'An application in another process notes after each commit when and where in the WAL it ended; the first file that covers that place counts. `syncIntervalMs` is 0. The local spool is synced; so is the file store, on the same disk.',
  async run(context) {
    const floor = durableFile(context.folder, { full: 200, quick: 50, tiny: 5 }[context.size])
    const figures: Figure[] = [{ name: 'making one file durable, p50', value: floor, unit: 'ms' }]
    for (const rate of [20, 500]) {
      context.say(`${rate} tx/s`)
      figures.push(...(await atPace(context, rate, floor)))
    }
    context.say('durable()')
    figures.push(...(await roundTrips(context, floor)))
    return { figures, notes: [] }
  },
}
