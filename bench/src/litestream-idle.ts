import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { LitestreamCLI } from '@sqlstream/testkit'
import type { BenchmarkContext, Figure } from './benchmark.ts'
import { makeDatabases } from './fleet-databases.ts'
import { processorSeconds } from './process-figures.ts'

const PATIENCE_MS = 240_000

/** What Litestream costs for databases that nobody writes; or why that is not known. */
export async function litestreamIdle(
  context: BenchmarkContext,
  cli: LitestreamCLI,
  count: number,
): Promise<{ readonly figures: readonly Figure[] } | { readonly reason: string }> {
  const seconds = { full: 60, quick: 10, tiny: 0.2 }[context.size]
  const folder = join(context.folder, `litestream-${count}`)
  const databases = makeDatabases(join(folder, 'data'), count)
  const replicas = databases.map((_, i) => join(folder, 'replica', String(i)))
  const config = join(folder, 'litestream.yml')
  const lines = databases.map((path, i) => `  - path: ${path}\n    replica: { url: "file://${replicas[i]}" }`)
  writeFileSync(config, `dbs:\n${lines.join('\n')}\n`)
  context.say(`${count} databases: Litestream`)
  const began = performance.now()
  await using theirs = await cli.replicateConfigured(config)
  const { pid } = theirs
  spawnSync('prlimit', ['--pid', String(pid), '--nofile=1048576:1048576'])
  const name = `${count} idle databases, Litestream`
  let arrived = 0
  while (arrived < count) {
    if (existsSync(join(replicas[arrived] as string, 'ltx', '0'))) arrived++
    else {
      if (performance.now() - began > PATIENCE_MS)
        return { reason: `${name}: ${arrived} were in their replicas after ${PATIENCE_MS / 1000} s.` }
      if (!existsSync(`/proc/${pid}`)) return { reason: `${name}: it ended. ${theirs.output.slice(-300)}` }
      await sleep(50)
    }
  }
  const startSeconds = (performance.now() - began) / 1000
  // Its first merges are not what an idle hour costs.
  await sleep({ full: 30_000, quick: 10_000, tiny: 0 }[context.size])
  const processor = processorSeconds(pid)
  await sleep(seconds * 1000)
  const used = processorSeconds(pid) - processor
  const kilobytes = Number(/^VmRSS:\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1])
  const descriptors = readdirSync(`/proc/${pid}/fd`).length
  return {
    figures: [
      { name: `${name}: first start, with a snapshot of each`, value: startSeconds, unit: 's' },
      { name: `${name}: memory`, value: kilobytes / 1000, unit: 'MB' },
      { name: `${name}: processor time`, value: (100 * used) / seconds, unit: '% of a core' },
      { name: `${name}: descriptors`, value: descriptors, unit: '' },
    ],
  }
}
