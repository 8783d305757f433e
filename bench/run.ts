// node bench/run.ts [name ...] [--quick | --tiny] [--folder <path>]
// Runs the benchmarks one after the other, each in a process of its own, on what was built (`npm run build`).
// Full runs are saved in bench/results, and bench/RESULTS.md and docs/scale.md are written anew from them.
import { mkdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import Database from 'better-sqlite3'
import type { Size } from './src/benchmark.ts'
import type { BenchmarkMessage, BenchmarkOptions } from './src/benchmark-main.ts'
import { BENCHMARKS } from './src/benchmarks.ts'
import { Child } from './src/child.ts'
import { describeMachine, describeRevision } from './src/machine.ts'
import {
  loadResults,
  type Result,
  type Results,
  renderResults,
  renderTable,
  saveResults,
} from './src/results.ts'
import { renderScale } from './src/scale.ts'

const here = fileURLToPath(new URL('.', import.meta.url))
const root = join(here, '..')
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    quick: { type: 'boolean', default: false },
    tiny: { type: 'boolean', default: false },
    folder: { type: 'string', default: join(root, 'node_modules/.cache/sqlstream-bench') },
  },
})
const size: Size = values.tiny ? 'tiny' : values.quick ? 'quick' : 'full'
const names = positionals.length > 0 ? positionals : Object.keys(BENCHMARKS)
const unknown = names.find((name) => BENCHMARKS[name] === undefined)
if (unknown !== undefined) {
  console.error(`There is no benchmark ${unknown}. There are: ${Object.keys(BENCHMARKS).join(', ')}.`)
  process.exit(2)
}

function sqliteVersion(): string {
  const db = new Database(':memory:')
  const version = db.prepare('SELECT sqlite_version()').pluck().get() as string
  db.close()
  return version
}

async function runOne(name: string, work: string): Promise<Result> {
  const started = performance.now()
  const options: BenchmarkOptions = { name, size, folder: work }
  await using child = new Child<BenchmarkMessage>('benchmark-main', options)
  for (;;) {
    const message = await child.receive()
    if ('say' in message) {
      console.error(`${name}: ${message.say}`)
      continue
    }
    await child.ended()
    const { title, description, report } = message
    return { title, description, seconds: (performance.now() - started) / 1000, ...report }
  }
}

const work = join(values.folder, String(process.pid))
mkdirSync(work, { recursive: true })
process.once('exit', () => rmSync(work, { recursive: true, force: true }))
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130))

const machine = describeMachine(work, sqliteVersion())
const date = new Date().toISOString()
const revision = describeRevision(root)
const benchmarks: Record<string, Result> = {}
console.log(
  `${machine.cpu}, ${machine.cores} cores, ${machine.system}, ${machine.fileSystem}, Node ${machine.node}`,
)
for (const name of names) {
  const result = await runOne(name, work)
  benchmarks[name] = result
  console.log(`\n## ${result.title} (${name}), ${result.seconds.toFixed(0)} s\n`)
  console.log([...renderTable(result), '', ...result.notes].join('\n'))
}
if (size === 'full') {
  const results: Results = { date, ...revision, size, machine, benchmarks }
  const folder = join(here, 'results')
  console.log(`\nSaved as ${saveResults(folder, results)}`)
  const all = loadResults(folder)
  writeFileSync(join(here, 'RESULTS.md'), renderResults(all))
  const scale = renderScale(all)
  if (scale !== undefined) {
    writeFileSync(join(root, 'docs/scale.md'), scale.markdown)
    writeFileSync(join(root, 'docs/scale.svg'), scale.svg)
  }
}
