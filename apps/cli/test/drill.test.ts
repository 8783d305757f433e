import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App } from './support/app.ts'
import { runCLI } from './support/run-cli.ts'

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
    /: whole\ndrill: TXID 0{15}2, state of \S+Z, restores: .*, equal to what was captured; SQLite full check passed\n$/,
  )
})

test('a damaged replica fails the drill although its chain is whole, and keeps the record of what was proven', async () => {
  await drill()
  const record = readFileSync(join(backup, '.sqlstream/proof.json'), 'utf8')
  const file = join(backup, 'ltx/9', readdirSync(join(backup, 'ltx/9'))[0] ?? '')
  const bytes = readFileSync(file)
  const middle = bytes.length >>> 1
  bytes[middle] = (bytes[middle] ?? 0) ^ 1
  writeFileSync(file, bytes)
  expect((await runCLI(['verify', backup])).status).toBe(EXIT.ok)
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
