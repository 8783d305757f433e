import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { Application } from './application.ts'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { Child } from './child.ts'
import { copyDatabase } from './generated-database.ts'
import { Replicator } from './replicator.ts'
import type { RestoreOptions } from './restore-main.ts'

interface Peaks {
  readonly capture: number
  readonly restore: number
}

/** Peak memory of a replicator from its first snapshot on, while the application writes, and of a restore. */
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
  const options: RestoreOptions = { replica, output: join(folder, 'restored.db') }
  await using restoring = new Child<{ peakBytes: number }>('restore-main', options)
  const { peakBytes } = await restoring.receive()
  await restoring.ended()
  rmSync(folder, { recursive: true })
  return { capture: captured, restore: peakBytes }
}

/** Whether memory depends on the size of the database. */
export const memory: Benchmark = {
  title: 'Memory',
  description:
    'Peak resident memory (VmHWM) of a replicator that takes the first snapshot while the application writes 500 tx/s and then follows it, and of a restore; each in a process of its own. What grows is known: 8 bytes a page for checksums (twice during a snapshot) and some 11 for the page index of a snapshot, in buffers that double.',
  async run(context) {
    const sizes = { full: [64, 2048], quick: [16, 256], tiny: [1, 2] }[context.size]
    const figures: Figure[] = []
    let first: Peaks | undefined
    for (const mebibytes of sizes) {
      context.say(`${mebibytes} MiB`)
      const peaks = await peaksAt(context, mebibytes * 2 ** 20)
      for (const part of ['capture', 'restore'] as const) {
        const value = peaks[part] / 1e6
        const name = `${part} of ${mebibytes} MiB`
        if (first === undefined) figures.push({ name, value, unit: 'MB' })
        else {
          const ratio = peaks[part] / first[part]
          const than = `${sizes[0]} MiB`
          figures.push({ name, value, unit: 'MB', ratio, than, ...atMost(ratio, 1.5, '×') })
        }
      }
      first ??= peaks
    }
    return { figures, notes: ['A Node process that does nothing takes some 45 MB.'] }
  },
}
