import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { App, contents } from './support/app.ts'
import { type CLIResult, runCLI } from './support/run-cli.ts'
import { installStallingDriver, stallAt } from './support/stalling-driver.ts'

const FILES = 5
let folder: TempFolder
let tree: string
let temp: string
let rows: string

/** Two replicas below one folder, of a snapshot and captures each, whose second is over. */
beforeAll(async () => {
  folder = new TempFolder('interrupted')
  tree = folder.join('tree')
  temp = folder.join('temp')
  mkdirSync(temp)
  installStallingDriver(folder)
  for (const name of ['one', 'two']) {
    using app = new App(folder.join(`${name}.db`))
    const files = name === 'one' ? FILES : 2
    for (let i = 0; i < files; i++) {
      app.commit(3)
      const args = ['replicate', app.path, join(tree, name), '--once', '--no-compaction']
      expect((await runCLI(args)).status).toBe(0)
    }
  }
  rows = contents(folder.join('one.db')).rows
  await sleep(1000)
})

afterAll(() => folder.remove())

let before: Map<string, string>

beforeEach(() => {
  before = objects()
})

/** Keys and bytes of everything in the replicas but the lease. */
function objects(): Map<string, string> {
  const names = readdirSync(tree, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && entry.name !== 'lease.json')
    .map((entry) => join(entry.parentPath, entry.name))
  return new Map(names.sort().map((name) => [name, readFileSync(name, 'hex')]))
}

function run(args: readonly string[], env: Record<string, string> = {}): Promise<CLIResult> {
  return runCLI(args, { cwd: folder.path, env: { TMPDIR: temp, ...env } })
}

/** Ended as an interruption ends, nothing left over, and every file of the replicas as it was. */
async function expectNothingHappened({ status, stderr }: CLIResult): Promise<void> {
  expect(stderr).toMatch(/stopped by SIGINT/)
  expect(status).toBe(EXIT.interrupted)
  expect(objects()).toEqual(before)
  expect(readdirSync(temp)).toEqual([])
  expect((await run(['verify', join(tree, 'one'), '--depth', 'bytes'])).status).toBe(EXIT.ok)
}

const one = (): string => `stalling://${join(tree, 'one')}`

test.each([
  ['reading the first file of a merge', stallAt('get', /^ltx\/0\//, 1)],
  ['reading the last file of a merge', stallAt('get', /^ltx\/0\//, FILES - 1)],
  ['putting the merged file', stallAt('put', /^ltx\/1\//, 1)],
])('Ctrl-C while compact is %s: nothing is left of the merge, and the lease is free', async (_, env) => {
  await expectNothingHappened(await run(['compact', one(), '--levels', '1s'], env))
  expect((await run(['compact', one(), '--levels', '1s', '--dry-run'])).stdout).toMatch(/ merges to do\n$/)
  const lease = JSON.parse((await run(['lease', 'show', one(), '--json'])).stdout) as { state: string }
  expect(lease.state).toBe('released')
})

test.each([
  ['reading the snapshot before', stallAt('get', /^ltx\/9\//, 1)],
  ['putting the new snapshot', stallAt('put', /^ltx\/9\//, 1)],
])('Ctrl-C while snapshot is %s: there is no new one, and the lease is free', async (_, env) => {
  await expectNothingHappened(await run(['snapshot', one()], env))
  const lease = JSON.parse((await run(['lease', 'show', one(), '--json'])).stdout) as { state: string }
  expect(lease.state).toBe('released')
})

test.each([1, 2, FILES])(
  'Ctrl-C at the %i. file that restore --tree reads: each database is absent or complete, and nothing else is there',
  async (nth) => {
    const output = folder.join(`restored-${nth}`)
    const args = ['restore', `stalling://${tree}`, '--tree', '-o', output]
    await expectNothingHappened(await run(args, stallAt('get', /ltx\//, nth)))
    const names = existsSync(output) ? readdirSync(output) : []
    const databases = names.filter((name) => name.endsWith('.db'))
    // Beside a database that is complete is the state with which replicate goes on.
    expect(names.filter((name) => !databases.some((each) => name === `.${each}-sqlstream`))).toEqual(
      databases,
    )
    for (const name of databases) {
      expect(contents(join(output, name))).toEqual({ ...contents(folder.join(name)), problems: 'ok' })
    }
    // Run again, it is complete.
    const again = await run(['restore', tree, '--tree', '-o', folder.join(`again-${nth}`)])
    expect(again.status).toBe(EXIT.ok)
    expect(contents(folder.join(`again-${nth}`, 'one.db')).rows).toBe(rows)
  },
)

test.each([
  ['while headers are compared', stallAt('get', /^ltx\//, 1)],
  ['in the drill', stallAt('get', /^ltx\//, FILES + 1)],
  ['in the drill, after some files', stallAt('get', /^ltx\//, 2 * FILES)],
  ['while the record is written', stallAt('put', /proof/, 1)],
])('Ctrl-C in verify --drill %s: the copy is gone, and nothing is recorded', async (_, env) => {
  await expectNothingHappened(await run(['verify', one(), '--drill'], env))
  expect(existsSync(join(tree, 'one/.sqlstream/proof.json'))).toBe(false)
})
