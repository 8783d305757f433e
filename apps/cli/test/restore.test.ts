import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI, startCLI } from './support/run-cli.ts'

const folder = new TempFolder('cli')
const backup = folder.join('backup')
/** Rows after TXID 1, 2 and 3, and an instant after each of them. */
const states: { rows: string; after: Date }[] = []
let app: App

beforeAll(async () => {
  app = new App(folder.join('app.db'))
  for (let txid = 1; txid <= 3; txid++) {
    app.commit(20 * txid)
    await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])
    // Instants are told apart by milliseconds, so the clock must move on.
    await sleep(5)
    states.push({ rows: contents(app.path).rows, after: new Date() })
    await sleep(5)
  }
})

afterAll(() => {
  app[Symbol.dispose]()
  folder.remove()
})

describe('restore', () => {
  test('gives the newest state, proven and checked', async () => {
    const { status, stdout, stderr } = await runCLI(['restore', backup, '-o', folder.join('newest.db')])
    expect({ status, stderr }).toEqual({ status: EXIT.ok, stderr: '' })
    expect(stdout).toMatch(/equals the one that was captured; SQLite quick check passed/)
    expect(contents(folder.join('newest.db'))).toEqual({ rows: states[2]?.rows, problems: 'ok' })
  })

  test.each([1, 2, 3])('gives the state after TXID %i', async (txid) => {
    const path = folder.join(`txid-${txid}.db`)
    expect((await runCLI(['restore', `file://${backup}`, '-o', path, '--txid', String(txid)])).status).toBe(
      EXIT.ok,
    )
    expect(contents(path).rows).toBe(states[txid - 1]?.rows)
  })

  test.each([1, 2, 3])(
    'gives the state at an instant after TXID %i, and says how far before it is',
    async (txid) => {
      const path = folder.join(`time-${txid}.db`)
      const at = states[txid - 1]?.after.toISOString() ?? ''
      const { status, stdout } = await runCLI(['restore', backup, '-o', path, '--timestamp', at])
      expect(status).toBe(EXIT.ok)
      expect(stdout).toMatch(/before the time asked for/)
      expect(contents(path).rows).toBe(states[txid - 1]?.rows)
    },
  )

  test('--json is valid, for a plan and for a result', async () => {
    const path = folder.join('json.db')
    const args = ['restore', backup, '-o', path, '--txid', '2', '--check', 'full', '--json']
    const plan = SCHEMAS.restore.parse(JSON.parse((await runCLI([...args, '--dry-run'])).stdout))
    expect(plan).toMatchObject({ dryRun: true, txid: '0000000000000002', database: path, source: backup })
    expect(existsSync(path)).toBe(false)
    const result = SCHEMAS.restore.parse(JSON.parse((await runCLI(args)).stdout))
    expect(result).toMatchObject({ dryRun: false, proven: true, check: 'full', txid: '0000000000000002' })
    expect(result.files).toEqual(plan.files)
  })

  test('never touches a target that exists, unless told', async () => {
    const path = folder.join('exists.db')
    writeFileSync(path, 'precious')
    const { status, stderr } = await runCLI(['restore', backup, '-o', path])
    expect(status).toBe(EXIT.targetExists)
    expect(stderr).toMatch(/^error: .*exists \(target-exists\)\nhint: .*--force\n$/)
    expect(readFileSync(path, 'utf8')).toBe('precious')
    expect((await runCLI(['restore', backup, '-o', path, '--force'])).status).toBe(EXIT.ok)
    expect(contents(path).rows).toBe(states[2]?.rows)
  })

  test('an interrupted restore leaves no target', async () => {
    const path = folder.join('interrupted.db')
    const cli = startCLI(['restore', backup, '-o', path])
    cli.child.kill('SIGINT')
    const { status } = await cli.result
    // The signal may come before the handler is there: then the system ends the process.
    expect([EXIT.interrupted, null]).toContain(status)
    expect(existsSync(path)).toBe(false)
  })

  test.each([
    ['a TXID that was never captured', ['--txid', 'ff'], EXIT.notRestorable],
    ['an instant before the first state', ['--timestamp', '2001-01-01T00:00:00Z'], EXIT.notRestorable],
    [
      'T24: an instant after the last state, where that is asked for',
      ['--timestamp', '2101-01-01T00:00:00Z', '--strict'],
      EXIT.notRestorable,
    ],
    ['a TXID that is none', ['--txid', 'xyz'], EXIT.usage],
    ['an instant without a time zone', ['--timestamp', '2026-01-01T00:00:00'], EXIT.usage],
    ['a day that does not exist', ['--timestamp', '2026-13-41T00:00:00Z'], EXIT.usage],
  ])('refuses %s', async (_, flags, exit) => {
    const path = folder.join('refused.db')
    const { status, stderr } = await runCLI(['restore', backup, '-o', path, ...flags])
    expect(stderr).toMatch(/^error: [^\n]+ \([a-z-]+\)\nhint: [^\n]+\n$/)
    expect(status).toBe(exit)
    expect(existsSync(path)).toBe(false)
  })
})

describe('ltx', () => {
  test('list shows every file, and its JSON is valid', async () => {
    const list = SCHEMAS['ltx-list'].parse(
      JSON.parse((await runCLI(['ltx', 'list', backup, '--json'])).stdout),
    )
    expect(list).toMatchObject({ head: '0000000000000003', gaps: [] })
    expect(list.files.map((file) => file.level)).toEqual([0, 0, 9])
    const text = (await runCLI(['ltx', 'list', backup])).stdout
    for (const file of list.files) expect(text).toContain(file.name)
  })

  test('show tells header, proof and index, by path and by name in a replica', async () => {
    const name = '0000000000000002-0000000000000002.ltx'
    const byPath = await runCLI(['ltx', 'show', `${backup}/ltx/0/${name}`, '--json'])
    const byName = await runCLI(['ltx', 'show', backup, name, '--json'])
    const first = SCHEMAS['ltx-show'].parse(JSON.parse(byPath.stdout))
    const second = SCHEMAS['ltx-show'].parse(JSON.parse(byName.stdout))
    expect(first).toEqual({ ...second, file: name })
    expect(first).toMatchObject({ minTXID: '0000000000000002', snapshot: false, pageSize: 4096 })
    expect(first.proof).toBeDefined()
    expect((await runCLI(['ltx', 'show', backup, name])).stdout).toMatch(/^txid +0000000000000002 to /m)
  })

  test('dump lists the pages, and prints one of them', async () => {
    const name = '9/0000000000000001-0000000000000001.ltx'
    const dump = SCHEMAS['ltx-dump'].parse(
      JSON.parse((await runCLI(['ltx', 'dump', backup, name, '--json'])).stdout),
    )
    expect(dump.pages.map((page) => page.pgno)).toEqual(dump.pages.map((_, i) => i + 1))
    const page = await runCLI(['ltx', 'dump', backup, name, '--page', '1'])
    expect(page.stdout).toMatch(/^00000000 {2}53 51 4c 69 74 65 20 66 .*SQLite format 3/)
    expect((await runCLI(['ltx', 'dump', backup, name, '--page', '9999'])).status).toBe(EXIT.notFound)
  })

  test('verify checks files one by one and names the corrupt ones', async () => {
    const names = readdirSync(`${backup}/ltx/0`).map((name) => `${backup}/ltx/0/${name}`)
    expect((await runCLI(['ltx', 'verify', ...names])).status).toBe(EXIT.ok)
    const bad = folder.join('bad.ltx')
    const bytes = readFileSync(names[0] ?? '')
    bytes[150] = (bytes[150] ?? 0) ^ 1
    writeFileSync(bad, bytes)
    const { status, stdout } = await runCLI(['ltx', 'verify', ...names, bad, '--json'])
    expect(status).toBe(EXIT.corrupt)
    const report = SCHEMAS['ltx-verify'].parse(JSON.parse(stdout))
    expect(report.files.map((file) => file.ok)).toEqual([true, true, false])
  })
})

describe('verify', () => {
  test('finds a whole replica whole, and says no more than what it has read', async () => {
    const result = SCHEMAS.verify.parse(JSON.parse((await runCLI(['verify', backup, '--json'])).stdout))
    expect(result).toMatchObject({ ok: true, depth: 'chain', files: 3, head: '0000000000000003' })
    const verdict = /^3 files up to TXID 0{15}3: (.*)$/m
    const by = async (...flags: string[]): Promise<string | undefined> =>
      verdict.exec((await runCLI(['verify', backup, ...flags])).stdout)?.[1]
    expect(await by()).toBe('the chain is unbroken')
    expect(await by('--depth', 'bytes')).toBe('whole, every checksum is right')
  })
})
