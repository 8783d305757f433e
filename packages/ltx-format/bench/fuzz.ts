import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { fuzz } from '../test/kernel/fuzz.ts'
import { freshSeed } from '../test/kernel/random.ts'

/*
 * The decoder fuzzer of test/kernel/fuzz.test.ts for as many inputs as wanted, and its figures in bench/FUZZ.md. Run after a
 * build: node bench/fuzz.ts [inputs, default 10000000]
 */

const inputs = Number(process.argv[2] ?? 10_000_000)
const seed = freshSeed()
const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()
const commit = git('rev-parse', '--short', 'HEAD')
const changed =
  git('status', '--porcelain', '--', 'src', 'kernel') === '' ? '' : ', with changes not committed'
const start = process.cpuUsage()
const seconds = (): number => {
  const { user, system } = process.cpuUsage(start)
  return Math.round((user + system) / 1e6)
}
console.log(`${inputs} inputs, SQLSTREAM_SEED=${seed}`)
const counts = fuzz({
  inputs,
  seed,
  onProgress: (done) => {
    if (done % 500_000 === 0) console.log(`${done} inputs, ${seconds()} s of CPU time`)
  },
})

const share = (count: number): string => `${count} | ${((100 * count) / inputs).toFixed(1)} %`
writeFileSync(
  new URL('FUZZ.md', import.meta.url),
  `# The decoder under the grammar fuzzer

Written by \`node bench/fuzz.ts ${inputs}\` at commit ${commit}${changed}, ${new Date().toISOString().slice(0, 10)}, Node ${process.version}, ${cpus()[0]?.model.trim() ?? 'unknown CPU'}.

**${inputs} inputs** (seed ${seed}) in ${seconds()} s of CPU time. Each was decoded four times, by both kernels in two memories of different garbage, and by the
reference decoder of the tests: same verdict, same offset, same bytes each time, and no byte changed outside the windows.

| what the reference says | inputs | share |
| --- | ---: | ---: |
| every page decoded | ${share(counts.decoded)} |
| refused: LZ4 block of a page | ${share(counts.badBlock)} |
| refused: header of a page | ${share(counts.badHeader)} |
| last frame not whole | ${share(counts.incomplete)} |
`,
)
console.log(`${JSON.stringify(counts)}, ${seconds()} s of CPU time`)
