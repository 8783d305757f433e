import { readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { parseLevels } from '../src/levels.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI, startCLI } from './support/run-cli.ts'

let folder: TempFolder
let backup: string
let app: App

beforeEach(() => {
  folder = new TempFolder('compact')
  backup = folder.join('backup')
  app = new App(folder.join('app.db'))
})

afterEach(() => {
  app[Symbol.dispose]()
  folder.remove()
})

/** A snapshot and four captures, whose second is over. */
async function replicate(): Promise<void> {
  for (let i = 0; i < 5; i++) {
    app.commit(3)
    expect((await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])).status).toBe(0)
  }
  await sleep(1000)
}

function objects(): string[] {
  return (readdirSync(backup, { recursive: true }) as string[]).sort()
}

async function restored(): Promise<unknown> {
  const copy = folder.join('copy.db')
  const { status, stdout } = await runCLI(['restore', backup, '-o', copy, '--force', '--json'])
  expect(status).toBe(0)
  expect(contents(copy)).toEqual({ rows: contents(app.path).rows, problems: 'ok' })
  return SCHEMAS.restore.parse(JSON.parse(stdout)).files.map(({ name }) => name)
}

test('compact does what its dry run says, and the newest state restores from what it made', async () => {
  await replicate()
  const before = objects()
  const args = ['compact', backup, '--levels', '1s,10s']
  const dry = await runCLI([...args, '--dry-run', '--json'])
  const plan = SCHEMAS.compact.parse(JSON.parse(dry.stdout))
  expect(objects()).toEqual(before)
  expect((await runCLI([...args, '--dry-run'])).stdout).toMatch(
    /^level 1: 0{15}2-0{15}\d from \d files?, [\d.]+ KiB to read\n/,
  )
  const run = SCHEMAS.compact.parse(JSON.parse((await runCLI([...args, '--json'])).stdout))
  expect(run).toMatchObject({ dryRun: false, source: backup })
  const first = run.merges.filter(({ level }) => level === 1)
  expect([first[0]?.minTXID, first.at(-1)?.maxTXID]).toEqual(['0000000000000002', '0000000000000005'])
  const range = ({ level, minTXID, maxTXID, inputs }: (typeof run.merges)[number]) =>
    `${level}: ${minTXID}-${maxTXID} of ${inputs}`
  // A slot of 10 s may have ended since the plan, and then the sizes that a snapshot goes by are others.
  expect(first.map(range)).toEqual(plan.merges.filter(({ level }) => level === 1).map(range))
  // What the levels hold is enough.
  rmSync(join(backup, 'ltx/0'), { recursive: true })
  await restored()
  const { stdout } = await runCLI(['compact', backup, '--levels', '1s'])
  expect(stdout).toBe(`${backup}: nothing to merge\n`)
  const lease = SCHEMAS.lease.parse(JSON.parse((await runCLI(['lease', 'show', backup, '--json'])).stdout))
  expect(lease.state).toBe('released')
})

test('snapshot makes one of the newest state, once', async () => {
  await replicate()
  const { stdout, status } = await runCLI(['snapshot', backup, '--json'])
  expect(status).toBe(0)
  expect(SCHEMAS.snapshot.parse(JSON.parse(stdout))).toMatchObject({
    txid: '0000000000000005',
    existed: false,
    merges: [{ level: 9, minTXID: '0000000000000001', maxTXID: '0000000000000005', inputs: 5 }],
  })
  expect(await restored()).toEqual(['0000000000000001-0000000000000005.ltx'])
  const again = await runCLI(['snapshot', backup])
  expect(again).toMatchObject({ status: 0, stderr: '' })
  expect(again.stdout).toBe(
    `${backup}: there is a snapshot of the newest state, TXID 0000000000000005, already\n`,
  )
})

test('where a capture is missing, snapshot says so and makes none of an older state', async () => {
  await replicate()
  rmSync(join(backup, 'ltx/0/0000000000000004-0000000000000004.ltx'))
  const { status, stderr } = await runCLI(['snapshot', backup])
  expect(status).toBe(EXIT.notRestorable)
  expect(stderr).toMatch(/^error: transactions .*0{15}4.* \(gap\)\nhint: /)
  expect(readdirSync(join(backup, 'ltx/9')).length).toBe(1)
})

test.each(['compact', 'snapshot'])(
  '%s: while a writer holds the replica nothing is touched',
  async (command) => {
    app.commit(1)
    const writer = startCLI(['replicate', app.path, backup])
    await writer.line(/replicating to/)
    await expect.poll(() => objects().some((name) => name.endsWith('.ltx'))).toBe(true)
    const { status, stderr } = await runCLI([command, backup])
    expect(stderr).toMatch(
      /^error: this replica is held by .* pid \d+ .*\(lease-held\)\nhint: .*lease release/,
    )
    expect(status).toBe(EXIT.conflict)
    writer.child.kill('SIGINT')
    expect((await writer.result).status).toBe(0)
  },
)

test.each(['compact', 'snapshot'])('%s of a place without a backup puts nothing there', async (command) => {
  const { status, stderr } = await runCLI([command, backup])
  expect(stderr).toContain('(no-backup)')
  expect(status).toBe(EXIT.notFound)
  expect(() => objects()).toThrow(/ENOENT/)
})

test.each(['5m,30s', '30s,45s', 'soon', '', '1s,2s,4s,8s,16s,32s,64s,128s,256s'])(
  'levels that make no sense are refused: %s',
  async (levels) => {
    const { status, stderr } = await runCLI(['compact', backup, '--levels', levels])
    expect(stderr).toMatch(/\(usage\)\nhint: /)
    expect(status).toBe(EXIT.usage)
  },
)

test('levels are read', () => {
  expect(parseLevels('30s, 5m,1h')).toEqual({ every: [30_000, 300_000, 3_600_000] })
})
