import { cpSync, mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { parseKeep, spellReach, spellStep } from '../src/keep.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI, startCLI } from './support/run-cli.ts'

let folder: TempFolder
let backup: string
let app: App

beforeEach(() => {
  folder = new TempFolder('retention')
  backup = folder.join('backup')
  app = new App(folder.join('app.db'))
})

afterEach(() => {
  app[Symbol.dispose]()
  folder.remove()
})

/** A snapshot and four captures, no two states in one slot of 1 ms. */
async function replicate(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    app.commit(1)
    expect((await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])).status).toBe(0)
  }
}

async function retention(...args: string[]): Promise<ReturnType<typeof SCHEMAS.retention.parse>> {
  const { status, stdout, stderr } = await runCLI(['retention', backup, '--json', ...args])
  expect(stderr).toBe('')
  expect(status).toBe(0)
  return SCHEMAS.retention.parse(JSON.parse(stdout))
}

function objects(): string[] {
  return (readdirSync(backup, { recursive: true }) as string[]).sort()
}

test('a dry run says what stays and what goes, and changes nothing', async () => {
  await replicate()
  const before = objects()
  const plan = await retention('--dry-run', '--keep', '1ms:1ms')
  expect(plan).toMatchObject({ dryRun: true, marked: [], removed: [], bytesFreed: 0 })
  // The captures are the only way to the newest state.
  expect(plan.tiers).toEqual([
    { everyMs: 1, forMs: 1, stays: 0, goes: 0 },
    { stays: 5, goes: 0 },
  ])
  expect(plan.newest?.txid).toBe('0000000000000005')
  const { stdout } = await runCLI(['retention', backup, '--dry-run'])
  expect(stdout).toMatch(
    /^KEPT +UP TO AN AGE OF +STATES THAT STAY +THAT GO\nevery capture +1h +5 +0\neach 30s +1d +0 +0\n/,
  )
  expect(stdout).toMatch(/can be restored from .*Z \(TXID 0{15}1\) to .*Z \(TXID 0{15}5\)\n/)
  expect(stdout).toMatch(/0 files \(0 B\) would be removed\n$/)
  expect(objects()).toEqual(before)
})

test('what is needless is marked, then removed; everything restores, and the lease is free afterwards', async () => {
  await replicate()
  // The second and third capture once more in level 1: of equal files the one of the higher level stays.
  mkdirSync(join(backup, 'ltx/1'))
  const names = ['0000000000000002-0000000000000002.ltx', '0000000000000003-0000000000000003.ltx']
  for (const name of names) cpSync(join(backup, 'ltx/0', name), join(backup, 'ltx/1', name))
  const first = await retention()
  expect(first.marked.map(({ level, name }) => `${level}/${name}`)).toEqual(names.map((name) => `0/${name}`))
  const second = await retention()
  expect([second.waiting.length, second.removed.length]).toEqual([2, 0])
  const { stdout } = await runCLI(['retention', backup, '--grace', '1ms'])
  expect(stdout).toMatch(
    /\n0 files \(0 B\) marked as unneeded, 0 files \(0 B\) wait for the end of the grace\n/,
  )
  expect(stdout).toMatch(/\n2 files \([\d.]+ KiB\) removed\n$/)
  expect(readdirSync(join(backup, 'ltx/0')).sort()).toEqual([
    '0000000000000004-0000000000000004.ltx',
    '0000000000000005-0000000000000005.ltx',
  ])
  const copy = folder.join('copy.db')
  expect((await runCLI(['restore', backup, '-o', copy])).status).toBe(0)
  expect(contents(copy)).toEqual({ rows: contents(app.path).rows, problems: 'ok' })
  const lease = SCHEMAS.lease.parse(JSON.parse((await runCLI(['lease', 'show', backup, '--json'])).stdout))
  expect(lease).toMatchObject({ state: 'released', owner: expect.stringMatching(/^an operator on /) })
  // And the writer goes on.
  app.commit(1)
  expect((await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])).status).toBe(0)
})

test('while a writer holds the replica nothing is touched, and the error says who it is', async () => {
  app.commit(1)
  const writer = startCLI(['replicate', app.path, backup])
  await writer.line(/replicating to/)
  await expect.poll(() => objects().some((name) => name.endsWith('.ltx'))).toBe(true)
  const { status, stderr } = await runCLI(['retention', backup])
  expect(stderr).toMatch(/^error: this replica is held by .* pid \d+ .*\(lease-held\)\nhint: .*lease release/)
  expect(status).toBe(EXIT.conflict)
  expect(objects()).not.toContain('.sqlstream/doomed.json')
  expect((await retention('--dry-run')).dryRun).toBe(true)
  writer.child.kill('SIGINT')
  expect((await writer.result).status).toBe(0)
})

test.each([
  [['--keep', '1h:30d', '--keep', '30s:60d'], 'bad-policy'],
  [['--keep', '1h'], 'usage'],
  [['--keep', '1h:2d:3d'], 'usage'],
  [['--keep', 'sometimes:2d'], 'usage'],
  [['--grace', 'soon'], 'usage'],
  [['--min-snapshots', '0'], 'usage'],
])('a policy that makes no sense is refused: %j', async (args, code) => {
  const { status, stderr } = await runCLI(['retention', backup, ...args])
  expect(stderr).toContain(`(${code})`)
  expect(status).toBe(EXIT.usage)
})

test('a place without a backup is told so, and nothing is put there', async () => {
  const { status, stderr } = await runCLI(['retention', backup])
  expect(stderr).toContain('(no-backup)')
  expect(status).toBe(EXIT.notFound)
  expect(() => objects()).toThrow(/ENOENT/)
})

test('tiers are read and written', () => {
  const tiers = ['capture:1h', '30s:24h', '1h:forever'].map(parseKeep)
  expect(tiers).toEqual([
    { every: 'capture', for: 3_600_000 },
    { every: 30_000, for: 86_400_000 },
    { every: 3_600_000, for: Number.POSITIVE_INFINITY },
  ])
  expect(tiers.map((tier) => `${spellStep(tier)}, ${spellReach(tier)}`)).toEqual([
    'every capture, 1h',
    'each 30s, 1d',
    'each 1h, ever',
  ])
})
