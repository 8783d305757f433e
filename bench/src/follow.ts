import { join } from 'node:path'
import { Application, type ApplicationReply } from './application.ts'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { Reader, type ReaderKind, type ReaderReply } from './follow-reader.ts'
import { Replicator } from './replicator.ts'
import { quantile } from './statistics.ts'

/** Commits a second: no divisor of any interval, so that they come at every time between two uploads and two looks. */
const RATE = 17

/** How often uploads and looks are. */
interface Pace {
  readonly name: string
  /** Default: that of the package. */
  readonly syncIntervalMs?: number
  readonly pollMs?: number
  /** Of p99. */
  readonly mostMs: number
}

const PACES: readonly Pace[] = [
  { name: 'as installed', mostMs: 1500 },
  { name: 'at once', syncIntervalMs: 0, pollMs: 50, mostMs: 150 },
]

const READERS: ReadonlyArray<{ readonly kind: ReaderKind; readonly name: string }> = [
  { kind: 'file', name: "a follower's copy" },
  { kind: 'hydrated', name: 'read replica, hydrated' },
  { kind: 'replica', name: 'read replica' },
]

/** Milliseconds from the return of each commit to the first moment at which its row was seen. */
function lags({ times }: ApplicationReply, firstRow: number, seen: ReaderReply): number[] {
  let next = 0
  return times.map((time, i) => {
    while ((seen.rows[next] ?? Number.POSITIVE_INFINITY) < firstRow + i) next++
    const at = seen.times[next]
    if (at === undefined) throw new Error(`row ${firstRow + i} was never seen`)
    return at - time
  })
}

async function atPace({ folder, size }: BenchmarkContext, pace: Pace): Promise<Figure[]> {
  const seconds = { full: 30, quick: 8, tiny: 1 }[size]
  const { name, syncIntervalMs, pollMs, mostMs } = pace
  const path = (file: string): string => join(folder, `${name.replaceAll(' ', '-')}-${file}`)
  const database = path('app.db')
  const replica = path('replica')
  await using application = await Application.start({ database })
  await application.commit()
  await using replicator = await Replicator.start({ database, replica, syncIntervalMs })
  await using stack = new AsyncDisposableStack()
  const start = async (kind: ReaderKind, copy: string): Promise<Reader> =>
    stack.use(await Reader.start({ kind, replica, copy: path(copy), pollMs }))
  await start('follower', 'copy.db')
  const readers: Array<{ readonly who: string; readonly reader: Reader }> = []
  for (const { kind, name: who } of READERS)
    readers.push({ who, reader: await start(kind, kind === 'file' ? 'copy.db' : `${kind}.db`) })
  // Code that runs for the first time is no part of what goes on for days.
  const before = await application.write({ seconds: seconds / 10, rate: RATE })
  const written = await application.write({ seconds, rate: RATE, marks: true })
  const first = 1 + before.commits + 1
  const figures: Figure[] = []
  for (const { who, reader } of readers) {
    const sample = lags(written, first, await reader.seen(first + written.commits - 1))
    for (const part of [0.5, 0.99]) {
      const value = quantile(sample, part)
      const goal = part === 0.99 ? atMost(value, mostMs, 'ms') : {}
      figures.push({ name: `${name}: ${who}, p${part * 100}`, value, unit: 'ms', ...goal })
    }
  }
  await replicator.stop()
  await application.close()
  return figures
}

/** From the commit of the application to where a reader elsewhere sees it. */
export const follow: Benchmark = {
  title: 'Lag of readers',
  description: `An application that commits ${RATE} times a second, a replicator, a replica in a folder, and all readers of it at once, each in a process of its own. From the return of a commit to the first moment at which a reader has its row. As installed: uploads every second; a follower looks every 500 ms, a read replica every second. At once: \`syncIntervalMs\` is 0, and readers look every 50 ms. The copy of the follower is read by another process, every 3 ms; a read replica is asked when it says that it has advanced.`,
  async run(context) {
    const figures: Figure[] = []
    for (const pace of PACES) {
      context.say(pace.name)
      figures.push(...(await atPace(context, pace)))
    }
    return { figures, notes: [] }
  },
}
