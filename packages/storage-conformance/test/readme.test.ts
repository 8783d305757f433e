import { execFile } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { conformanceTests } from '../src/index.ts'

const packageFolder = join(import.meta.dirname, '..')
let folder: string

// The driver of the README has no conditional puts and nothing like a missing bucket or a copy.
const skipped = conformanceTests.filter(
  (t) => t.requires === 'conditionalPut' || t.needs !== undefined || t.offers !== undefined,
).length

const run = promisify(execFile)
// Sources instead of what was built, and nothing of the surrounding test run.
const node = (...args: string[]) =>
  run(process.execPath, ['--conditions=@sqlstream/source', ...args], {
    cwd: folder,
    env: { PATH: process.env['PATH'], NODE_OPTIONS: '' },
  })

beforeAll(() => {
  // In the package, so that its own name and its dependencies resolve.
  mkdirSync(join(packageFolder, 'dist'), { recursive: true })
  folder = mkdtempSync(join(packageFolder, 'dist', 'readme-'))
  const readme = readFileSync(join(packageFolder, 'README.md'), 'utf8')
  for (const [, name, code] of readme.matchAll(/^```ts (\S+)\n(.*?)^```$/gms))
    writeFileSync(join(folder, name!), code!)
})
afterAll(() => rmSync(folder, { recursive: true }))

test('the driver and the tests of the README compile', async () => {
  writeFileSync(
    join(folder, 'tsconfig.json'),
    JSON.stringify({ extends: '../../test/tsconfig.json', include: ['.'] }),
  )
  const tsc = join(packageFolder, 'node_modules/typescript/bin/tsc')
  await expect(node(tsc, '-p', 'tsconfig.json')).resolves.toMatchObject({ stdout: '' })
})

test('the driver of the README passes without a runner, and skips for its capabilities only', async () => {
  const lines = (await node('check.ts')).stdout.trim().split('\n')
  expect(lines).toHaveLength(conformanceTests.length)
  expect(lines.filter((line) => line.startsWith('failed'))).toEqual([])
  expect(lines.filter((line) => line.startsWith('skipped'))).toHaveLength(skipped)
})

test('the driver of the README passes under node:test, which shows the skipped tests', async () => {
  const { stdout } = await node('--test', '--test-reporter=tap', 'my-store.node-test.ts')
  expect(stdout).toMatch(/^# fail 0$/m)
  expect(stdout).toContain(`\n# skipped ${skipped}\n`)
  expect(stdout).toContain('# SKIP the store has no conditionalPut')
})

test('the driver of the README passes under vitest, which shows the skipped tests', async () => {
  const vitest = join(packageFolder, 'node_modules/vitest/vitest.mjs')
  const config = join(folder, 'vitest.config.ts')
  writeFileSync(
    config,
    `export default { resolve: { conditions: ['@sqlstream/source'] }, ssr: { resolve: { conditions: ['@sqlstream/source'] } } }`,
  )
  const report = join(folder, 'report.json')
  await node(vitest, 'run', '--root', folder, '--config', config, '--reporter=json', `--outputFile=${report}`)
  const { success, numPendingTests } = JSON.parse(readFileSync(report, 'utf8'))
  expect({ success, numPendingTests }).toEqual({ success: true, numPendingTests: skipped })
})
