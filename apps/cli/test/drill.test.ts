import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App } from './support/app.ts'
import { runCLI, startCLI } from './support/run-cli.ts'

let folder: TempFolder
let backup: string
let database: string
let temp: string

beforeEach(async () => {
  folder = new TempFolder('drill')
  backup = folder.join('backup')
  database = folder.join('app.db')
  temp = folder.join('temp')
  mkdirSync(temp)
  using app = new App(database)
  for (let i = 0; i < 2; i++) {
    app.commit(100)
    await runCLI(['replicate', database, backup, '--once', '--no-compaction'])
  }
})

afterEach(() => folder.remove())

async function drill() {
  const { status, stdout } = await runCLI(['verify', backup, '--drill', '--json'], { env: { TMPDIR: temp } })
  // Whatever comes out, the restored database is gone.
  expect(readdirSync(temp).filter((name) => name.startsWith('sqlstream'))).toEqual([])
  return { status, result: SCHEMAS.verify.parse(JSON.parse(stdout)) }
}

test('a drill restores the newest state and records that it was proven; list and status tell', async () => {
  const before = SCHEMAS.list.parse(JSON.parse((await runCLI(['list', backup, '--json'])).stdout))
  expect(before.proof).toBeUndefined()
  const { status, result } = await drill()
  expect(status).toBe(EXIT.ok)
  expect(result).toMatchObject({
    ok: true,
    drill: { ok: true, txid: '0000000000000002', proven: true, recorded: true },
  })
  const proof = {
    txid: '0000000000000002',
    postApplyChecksum: result.drill?.postApplyChecksum,
    timestamp: result.drill?.timestamp,
    provenAt: expect.stringMatching(/Z$/),
    by: expect.stringMatching(/^sqlstream verify on /),
  }
  const list = SCHEMAS.list.parse(JSON.parse((await runCLI(['list', backup, '--json'])).stdout))
  expect(list.proof).toEqual(proof)
  const state = SCHEMAS.status.parse(
    JSON.parse((await runCLI(['status', database, backup, '--json'])).stdout),
  )
  expect(state.replica?.proof).toEqual(proof)
  expect((await runCLI(['list', backup])).stdout).toMatch(
    /\nrestored and proven on \S+Z: TXID 0{15}2, state of /,
  )
  const human = await runCLI(['verify', backup, '--drill'])
  expect(human.stdout).toMatch(
    /: the chain is unbroken\ndrill: TXID 0{15}2, state of \S+Z, restores: .*, equal to what was captured; SQLite full check passed\n$/,
  )
})

test('a damaged replica fails the drill although its chain is unbroken, and keeps the record of what was proven', async () => {
  await drill()
  const record = readFileSync(join(backup, '.sqlstream/proof.json'), 'utf8')
  const file = join(backup, 'ltx/9', readdirSync(join(backup, 'ltx/9'))[0] ?? '')
  const bytes = readFileSync(file)
  const middle = bytes.length >>> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  writeFileSync(file, bytes)
  const headers = await runCLI(['verify', backup])
  expect(headers.status).toBe(EXIT.ok)
  expect(headers.stdout).toMatch(/: the chain is unbroken\nonly headers were read; --depth bytes /)
  expect((await runCLI(['verify', backup, '--depth', 'bytes'])).stdout).toMatch(/: damaged: 1 error\n$/)
  const { status, result } = await drill()
  expect(status).toBe(EXIT.corrupt)
  expect(result).toMatchObject({
    ok: false,
    findings: [],
    drill: { ok: false, recorded: false, error: { code: 'corrupt' } },
  })
  expect(readFileSync(join(backup, '.sqlstream/proof.json'), 'utf8')).toBe(record)
  expect((await runCLI(['verify', backup, '--drill'])).stdout).toMatch(/\ndrill failed: .* \(corrupt\)\n/)
})

test('where the record cannot be written there is a warning, and the drill counts', async () => {
  // A folder in the place of the object: no right to write would not stop root.
  mkdirSync(join(backup, '.sqlstream/proof.json'))
  writeFileSync(join(backup, '.sqlstream/proof.json/in-the-way'), '')
  const { status, result } = await drill()
  expect(status).toBe(EXIT.ok)
  expect(result).toMatchObject({
    ok: true,
    drill: {
      ok: true,
      proven: true,
      recorded: false,
      warning: expect.stringMatching(/^it could not be recorded: /),
    },
  })
})

test('without --drill nothing is restored and nothing recorded', async () => {
  const { stdout } = await runCLI(['verify', backup, '--json'])
  expect(JSON.parse(stdout)).not.toHaveProperty('drill')
  expect(existsSync(join(backup, '.sqlstream/proof.json'))).toBe(false)
})

test('replicate proves by itself what it has uploaded, and status tells; a budget that is too small is told', async () => {
  using app = new App(folder.join('other.db'))
  app.commit(5)
  const other = folder.join('other')
  const args = ['replicate', app.path, other, '--verify-every', '50ms', '--verify-budget', '1GB']
  const cli = startCLI(args)
  await cli.line(/: proven restorable: TXID 0{15}1, .* read in /)
  cli.child.kill('SIGINT')
  expect(await cli.result).toMatchObject({ status: EXIT.ok, stderr: '' })
  const { stdout } = await runCLI(['status', app.path, other, '--json'])
  const { replica } = SCHEMAS.status.parse(JSON.parse(stdout))
  expect(replica?.proof).toMatchObject({
    txid: '0000000000000001',
    by: expect.stringMatching(/^sqlstream replicate on /),
  })

  const json = startCLI([...args, '--json'])
  app.commit(5)
  const line = await json.line(/"type":"verified"/)
  expect(SCHEMAS['replicate-event'].parse(JSON.parse(line))).toMatchObject({ txid: '0000000000000002' })
  json.child.kill('SIGINT')
  await json.result

  app.commit(5)
  const poor = startCLI([...args.slice(0, -1), '1KB', '--json'])
  const skipped = SCHEMAS['replicate-event'].parse(
    JSON.parse(await poor.line(/"type":"verification-skipped"/)),
  )
  expect(skipped).toMatchObject({ left: 1000, bytesPerDay: 1000 })
  poor.child.kill('SIGINT')
  await poor.result
  const words = startCLI([...args.slice(0, -1), '1KB'])
  await words.line(
    /: warning: not proven restorable: that would read .* of 1000 B a day are left; next look at /,
  )
  words.child.kill('SIGINT')
  await words.result
})

test('a time without a budget, and sizes that are none, are refused', async () => {
  const pair = ['replicate', 'app.db', backup]
  for (const flags of [
    ['--verify-every', '1h'],
    ['--verify-every', '1h', '--verify-budget', '10'],
    ['--verify-every', '0s', '--verify-budget', '10GB'],
    ['--verify-every', '1h', '--verify-budget', '0B'],
  ]) {
    const { status, stderr } = await runCLI([...pair, ...flags])
    expect(status).toBe(EXIT.usage)
    expect(stderr).toMatch(/verify-budget|not a size|above 0/)
  }
})
