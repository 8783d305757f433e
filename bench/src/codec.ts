import {
  atLeast,
  atMost,
  type Benchmark,
  type BenchmarkContext,
  type Figure,
  type Report,
} from './benchmark.ts'
import { Child } from './child.ts'
import {
  checksumEntries,
  type Entry,
  fileEntries,
  type PageGoals,
  pageEntries,
  proveNative,
  type Sample,
} from './contests.ts'
import { interleaved, ownWork } from './interleaved.ts'
import { mixedPages } from './mixed-pages.ts'
import { NativeProgram } from './native.ts'
import { encodeAll, KernelCodec } from './page-codec.ts'
import { fillWithRows } from './row-bytes.ts'
import { median, rate } from './statistics.ts'
import { trackingCost } from './tracking-cost.ts'

const ROUNDS = { full: 21, quick: 7, tiny: 1 } as const

/** Speeds of ours compared with a copy, of others with ours. `times` has what each entry took in each round. */
function figuresOf(entries: readonly Entry[], times: readonly Float64Array[], bytes: number): Figure[] {
  const speeds = new Map(entries.map(({ name }, i) => [name, rate(bytes, Math.min(...times[i]!))]))
  const copy = entries[0]!.name
  return entries.map(({ name, ours, goal }): Figure => {
    const value = speeds.get(name)!
    const ratio = value / speeds.get(ours ?? copy)!
    return {
      name,
      value,
      unit: 'MB/s',
      ...(name !== copy && { ratio, than: ours === undefined ? 'a copy' : 'ours' }),
      ...(goal !== undefined && atLeast(value, goal, 'MB/s')),
    }
  })
}

/** What page checksums cost. */
function costs(context: BenchmarkContext, pages: Buffer): Figure[] {
  context.say('page checksums')
  const cost = trackingCost(pages.subarray(0, 16 << 20), ROUNDS[context.size])
  return (['encode', 'decode'] as const).map((work) => {
    const value = 100 * cost[work]
    return { name: `cost of page checksums in ${work}`, value, unit: '%', ...atMost(value, 2, '%') }
  })
}

/** All codecs on the same pages, and with `more` also files and checksums. */
async function race(
  context: BenchmarkContext,
  what: string,
  pages: Buffer,
  { goals = {}, more = false }: { goals?: PageGoals; more?: boolean },
): Promise<Report> {
  context.say(`pages of ${what}`)
  const sample: Sample = { what, pages, ...encodeAll(new KernelCodec('wasm'), pages) }
  const started = await NativeProgram.start(context.folder, pages, sample.batches)
  await using native = started instanceof NativeProgram ? started : undefined
  if (native !== undefined) await proveNative(native, sample)
  const target = Buffer.alloc(pages.length)
  const entries: Entry[] = [
    { name: `copy pages of ${what}`, work: ownWork(() => target.set(pages)) },
    ...pageEntries(sample, native, goals),
    ...(more ? [...fileEntries(pages), ...checksumEntries(pages, native)] : []),
  ]
  const times = await interleaved(
    ROUNDS[context.size],
    entries.map(({ work }) => work),
  )
  const part = (batches: readonly Buffer[]): string => {
    const bytes = batches.reduce((sum, batch) => sum + batch.length, 0)
    return `${((100 * bytes) / pages.length).toFixed(1)} % of their size`
  }
  const theirs =
    started instanceof NativeProgram
      ? `, by liblz4 ${started.version} ${part(started.batches)}.`
      : `. ${started.reason}`
  return {
    figures: figuresOf(entries, times, pages.length),
    notes: [`Pages of ${what} became ${part(sample.batches)}${theirs}`],
  }
}

/** How long the first kernel of a process takes: it is unpacked, compiled and instantiated. */
async function startUp(kind: 'page' | 'WAL', processes: number): Promise<Figure> {
  const times: number[] = []
  for (let i = 0; i < processes; i++) {
    await using child = new Child<{ milliseconds: number }>('startup-main', kind)
    times.push((await child.receive()).milliseconds)
    await child.ended()
  }
  const value = median(times)
  return { name: `first ${kind} kernel of a process`, value, unit: 'ms', ...atMost(value, 3, 'ms') }
}

/** Formats and checksums in memory. */
export const codec: Benchmark = {
  title: 'Formats and checksums',
  description:
    'In memory, one thread, pages of 4 KiB: of a database of people, orders, events, measurements and files, and of random words, which are harder to compress. MB of pages in a second of processor time, best of interleaved rounds. What names nobody is done by our kernels in WebAssembly. Pages are encoded and decoded from buffer to buffer, copied into the kernel and out of it; checksums alone are those of 1 MiB in the kernel’s own memory, to which files are read. The native program does the same with the same copies, but makes no page checksums; what it does without them and without copies is said beside it. Page checksums: the same batches with and without by turns. Start-up: fresh processes, median.',
  async run(context) {
    const bytes = { full: 64, quick: 16, tiny: 1 }[context.size] << 20
    const database = mixedPages(bytes)
    const text = Buffer.alloc(bytes)
    fillWithRows(text, 42)
    const reports = [
      await race(context, 'a database', database, { goals: { encode: 700, decode: 2500 } }),
      await race(context, 'text', text, { more: true }),
    ]
    const tracking = costs(context, database)
    context.say('start-up')
    const processes = { full: 31, quick: 7, tiny: 1 }[context.size]
    const startUps = [await startUp('page', processes), await startUp('WAL', processes)]
    return {
      figures: [...reports.flatMap(({ figures }) => figures), ...tracking, ...startUps],
      notes: reports.flatMap(({ notes }) => notes),
    }
  },
}
