// Runs one benchmark in a process of its own, so that none inherits the compiled code and the heap of another.
// Argument: BenchmarkOptions. Messages: BenchmarkMessage.
import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Report, Size } from './benchmark.ts'
import { BENCHMARKS } from './benchmarks.ts'
import { generateDatabase } from './generated-database.ts'

/** Which benchmark to run, how, and where. */
export interface BenchmarkOptions {
  readonly name: string
  readonly size: Size
  /** Working folder of the whole run. */
  readonly folder: string
}

/** Progress, and in the end the report. */
export type BenchmarkMessage =
  | { readonly say: string }
  | { readonly title: string; readonly description: string; readonly report: Report }

const { name, size, folder: work } = JSON.parse(process.argv[2] ?? '') as BenchmarkOptions
// A run that was interrupted leaves nothing running.
process.on('disconnect', () => process.exit(1))
const load = BENCHMARKS[name]
if (load === undefined) throw new RangeError(`there is no benchmark ${name}`)
const folder = join(work, name)
rmSync(folder, { recursive: true, force: true })
mkdirSync(folder, { recursive: true })
const { title, description, run } = await load()
const report = await run({
  size,
  folder,
  database: (bytes) => {
    const path = join(work, 'databases', `${bytes}.db`)
    generateDatabase(path, bytes)
    return path
  },
  say: (text) => void process.send?.({ say: text } satisfies BenchmarkMessage),
})
rmSync(folder, { recursive: true, force: true })
process.send?.({ title, description, report } satisfies BenchmarkMessage, () => {
  process.removeAllListeners('disconnect')
  process.disconnect()
})
