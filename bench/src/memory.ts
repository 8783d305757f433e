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
  // What it makes of the replica is would be restored then: one file, so the restore comes first.
  const options: RestoreOptions = { replica: url, output: join(folder, 'restored.db') }
  const restored = await peakOf('restore-main', options)
  rmSync(options.output)
  const merged = await peakOf('compact-main', url)
  rmSync(folder, { recursive: true })
  return { capture: captured, merge: merged, restore: restored }
}

async function peakOf(name: string, argument: unknown): Promise<RestoreReply> {
  await using child = new Child<RestoreReply>(name, argument)
  const reply = await child.receive()
  await child.ended()
  return reply
}

function growthOf({ idleBytes, peakBytes }: RestoreReply): number {
  return peakBytes - idleBytes
}

/** What a merge or a restore takes beyond an idle process, and how that grows with the database. */
function growthFigures(
  part: 'merge' | 'restore',
  [small, large]: readonly [Peaks, Peaks],
  [smallMiB, largeMiB]: readonly [number, number],
): Figure[] {
  const name = `${part} of ${largeMiB} MiB`
  const growth = growthOf(large[part]) / 1e6
  const pages = ((largeMiB - smallMiB) * 2 ** 20) / PAGE_SIZE
  const perPage = (growthOf(large[part]) - growthOf(small[part])) / pages
  return [
    { name: `${name}: beyond the idle process`, value: growth, unit: 'MB', ...atMost(growth, 150, 'MB') },
    {
      name: `${name}: of that, for each page more than of ${smallMiB} MiB`,
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
    const sizes = ({ full: [64, 2048], quick: [16, 256], tiny: [1, 2] } as const)[context.size]
    const peaks: Peaks[] = []
    for (const mebibytes of sizes) {
      context.say(`${mebibytes} MiB`)
      peaks.push(await peaksAt(context, mebibytes * 2 ** 20))
    }
    const [small, large] = peaks as [Peaks, Peaks]
    const figures: Figure[] = []
    for (const part of ['capture', 'merge', 'restore'] as const) {
      const [first, second] = [small, large].map(({ [part]: peak }) =>
        typeof peak === 'number' ? peak : peak.peakBytes,
      ) as [number, number]
      const ratio = second / first
      const than = `${sizes[0]} MiB`
      figures.push(
        { name: `${part} of ${sizes[0]} MiB`, value: first / 1e6, unit: 'MB' },
        {
          name: `${part} of ${sizes[1]} MiB`,
          value: second / 1e6,
          unit: 'MB',
          ratio,
          than,
          ...atMost(ratio, 1.5, '×'),
        },
      )
      if (part !== 'capture') figures.push(...growthFigures(part, [small, large], sizes))
    }
    return { figures, notes: ['A Node process that does nothing takes some 45 MB.'] }
  },
}
