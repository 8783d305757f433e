import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LitestreamCLI } from '@sqlstream/testkit'
import type { BenchmarkContext, Figure } from './benchmark.ts'
import { startLitestreamFleet } from './litestream-fleet.ts'
import { processorSeconds, residentMemory } from './process-figures.ts'

/** What Litestream costs for databases that nobody writes; or why that is not known. */
export async function litestreamIdle(
  context: BenchmarkContext,
  cli: LitestreamCLI,
  count: number,
): Promise<{ readonly figures: readonly Figure[] } | { readonly reason: string }> {
  const seconds = { full: 60, quick: 10, tiny: 0.2 }[context.size]
  context.say(`${count} databases: Litestream`)
  const fleet = await startLitestreamFleet(cli, join(context.folder, `litestream-${count}`), count)
  if ('reason' in fleet) return fleet
  await using replication = fleet.replication
  const { pid } = replication
  // Its first merges are not what an idle hour costs.
  await sleep({ full: 30_000, quick: 10_000, tiny: 0 }[context.size])
  const processor = processorSeconds(pid)
  await sleep(seconds * 1000)
  const used = processorSeconds(pid) - processor
  const descriptors = readdirSync(`/proc/${pid}/fd`).length
  const name = `${count} idle databases, Litestream`
  return {
    figures: [
      { name: `${name}: first start, with a snapshot of each`, value: fleet.startSeconds, unit: 's' },
      { name: `${name}: memory`, value: residentMemory(pid) / 1e6, unit: 'MB' },
      { name: `${name}: processor time`, value: (100 * used) / seconds, unit: '% of a core' },
      { name: `${name}: descriptors`, value: descriptors, unit: '' },
    ],
  }
}
