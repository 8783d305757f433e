import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { valueJSON } from '../src/output/diff.ts'
import { SCHEMAS } from '../src/schema.ts'
import { runCLI } from './support/run-cli.ts'

let folder: TempFolder
let db: Database.Database
let url: string
beforeEach(async () => {
  folder = new TempFolder('diff')
  url = folder.join('replica')
  db = new Database(folder.join('app.db'))
  db.pragma('journal_mode = WAL')
  await step(
    "CREATE TABLE note(id INTEGER PRIMARY KEY, text); INSERT INTO note VALUES (1, 'one'), (2, 'two')",
  )
  await step("UPDATE note SET text = 'zwei' WHERE id = 2; DELETE FROM note WHERE id = 1")
  await step("INSERT INTO note VALUES (3, 'three'); CREATE TABLE extra(a)")
})
afterEach(() => {
  db.close()
  folder.remove()
})

async function step(sql: string): Promise<void> {
  db.exec(sql)
  expect((await runCLI(['replicate', db.name, url, '--once'])).status).toBe(0)
}

test('what has changed since a state, for people and for programs', async () => {
  const text = await runCLI(['diff', url, '--from', '1'])
  expect(text.stderr).toBe('')
  expect(text.stdout.split('\n').slice(2)).toEqual([
    '+ table extra',
    'note: 1 added, 1 removed, 1 changed',
    '  + 3: text "three"',
    '  - 1: text "one"',
    '  ~ 2: text "two" -> "zwei"',
    '',
  ])
  const { stdout } = await runCLI(['diff', url, '--from', '1', '--to', '2', '--json', '--limit', '1'])
  expect(SCHEMAS.diff.parse(JSON.parse(stdout))).toMatchObject({
    from: { txid: '0000000000000001' },
    to: { txid: '0000000000000002' },
    schema: [],
    tables: [{ name: 'note', added: 0, removed: 1, changed: 1 }],
  })
  const same = await runCLI(['diff', url, '--from', '2', '--to', '2'])
  expect(same.stdout).toMatch(/no difference\n$/)
})

test('a state that is none is told', async () => {
  expect(await runCLI(['diff', url, '--from', 'yesterday'])).toMatchObject({ status: 2 })
  expect(await runCLI(['diff', url, '--from', 'ff'])).toMatchObject({ status: 8 })
})

test('values that JSON has no form for, and long ones, are told as objects', () => {
  expect(valueJSON(2n ** 60n)).toEqual({ integer: '1152921504606846976' })
  expect(valueJSON(Number.POSITIVE_INFINITY)).toEqual({ real: 'Infinity' })
  expect(valueJSON(new Uint8Array(100))).toEqual({ blob: '00'.repeat(32), bytes: 100 })
  expect(valueJSON('x'.repeat(500))).toEqual({ text: 'x'.repeat(120), characters: 500 })
  expect([null, 5n, 1.5, 'a'].map(valueJSON)).toEqual([null, 5, 1.5, 'a'])
})
