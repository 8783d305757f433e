import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Application } from './application.ts'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { Child } from './child.ts'
import { copyDatabase } from './generated-database.ts'
import { Replicator } from './replicator.ts'
import type { RestoreOptions, RestoreReply } from './restore-main.ts'

/** Peak memory in bytes. */
interface Peaks {
  readonly capture: number
  readonly merge: RestoreReply
  readonly restore: RestoreReply
}

const PAGE_SIZE = 4096

/** Peak memory of a replicator from its first snapshot on, while the application writes, of a merge of all that, and of a restore. */
async function peaksAt(context: BenchmarkContext, bytes: number): Promise<Peaks> {
  const seconds = { full: 15, quick: 3, tiny: 0.5 }[context.size]
  const folder = join(context.folder, 'run')
  mkdirSync(folder)
  const database = join(folder, 'app.db')
  const replica = join(folder, 'replica')
  copyDatabase(context.database(bytes), database)
  let captured: number
  {
    await using application = await Application.start({ database })
    const writing = application.write({ seconds, rate: 500 })
    await using replicator = await Replicator.start({ database, replica })
    await writing
    // As long again behind the snapshot, which may have taken all of that time.
    await application.write({ seconds, rate: 500 })
    captured = (await replicator.stop()).peakBytes
    await application.close()
  }
  const url = `file://${replica}`
  const options: RestoreOptions = { replica: url, output: join(folder, 'restored.db') }
  const restored = await peakOf('restore-main', options)
  const merged = await peakOf('compact-main', url)
  rmSync(folder, { recursive: true })
  return { capture: captured, merge: merged, restore: restored }
}

/** Of two runs the one that took less: garbage that was not collected in time is not what is asked for. */
async function peakOf(name: string, argument: unknown): Promise<RestoreReply> {
  const replies: RestoreReply[] = []
  for (let run = 0; run < 2; run++) {
    await using child = new Child<RestoreReply>(name, argument)
    replies.push(await child.receive())
    await child.ended()
  }
  const [first, second] = replies as [RestoreReply, RestoreReply]
  return growthOf(first) < growthOf(second) ? first : second
}

function growthOf({ idleBytes, peakBytes }: RestoreReply): number {
  return peakBytes - idleBytes
}

/** The sizes of databases, in MiB; between the last two all buffers are full, and what grows is what each page takes. */
type Sizes = readonly [small: number, medium: number, large: number]

/** What a merge or a restore takes beyond an idle process, and how that grows with the database. */
function growthFigures(part: 'merge' | 'restore', peaks: readonly Peaks[], sizes: Sizes): Figure[] {
  const [, medium, large] = peaks.map((peak) => growthOf(peak[part])) as [number, number, number]
  const [, mediumMiB, largeMiB] = sizes
  const name = `${part} of ${largeMiB} MiB`
  const pages = ((largeMiB - mediumMiB) * 2 ** 20) / PAGE_SIZE
  const perPage = (large - medium) / pages
  const growth = large / 1e6
  return [
    { name: `${name}: beyond the idle process`, value: growth, unit: 'MB', ...atMost(growth, 150, 'MB') },
    {
      name: `${name}: for each page more than of ${mediumMiB} MiB`,
      value: perPage,
      unit: 'B',
      ...atMost(perPage, 16, 'B'),
    },
  ]
}

/** Whether memory depends on the size of the database. */
export const memory: Benchmark = {
  title: 'Memory',
  description:
    'Peak resident memory (VmHWM) of a replicator that takes the first snapshot while the application writes 500 tx/s and then follows it, of a restore, and of the merge of all that into a new snapshot; each in a process of its own. Idle is a process that has loaded the program. What grows is known: 8 bytes a page for checksums (twice during a snapshot) and some 11 for the page index of a snapshot, in buffers that double.',
  async run(context) {
    const sizes = ({ full: [64, 1024, 2048], quick: [16, 128, 256], tiny: [1, 2, 3] } as const)[context.size]
    const peaks: Peaks[] = []
    for (const mebibytes of sizes) {
      context.say(`${mebibytes} MiB`)
      peaks.push(await peaksAt(context, mebibytes * 2 ** 20))
    }
    const figures: Figure[] = []
    for (const part of ['capture', 'merge', 'restore'] as const) {
      const bytes = peaks.map(({ [part]: peak }) => (typeof peak === 'number' ? peak : peak.peakBytes))
      const [small, , large] = bytes as [number, number, number]
      const ratio = large / small
      const than = `${sizes[0]} MiB`
      figures.push(
        { name: `${part} of ${sizes[0]} MiB`, value: small / 1e6, unit: 'MB' },
        {
          name: `${part} of ${sizes[2]} MiB`,
          value: large / 1e6,
          unit: 'MB',
          ratio,
          than,
          ...atMost(ratio, 1.5, '×'),
        },
      )
      if (part !== 'capture') figures.push(...growthFigures(part, peaks, sizes))
    }
    const notes = [
      'A Node process that does nothing takes some 45 MB.',
      'The figure for each page is the difference of two measurements: 10 MB of garbage in one of them are some 40 bytes.',
    ]
    return { figures, notes }
  },
}
