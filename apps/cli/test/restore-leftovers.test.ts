import { copyFileSync, existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { App, contents } from './support/app.ts'
import { runCLI, startProgram } from './support/run-cli.ts'

let folder: TempFolder
let backup: string
let target: string
let rows: string

beforeEach(async () => {
  folder = new TempFolder('leftovers')
  backup = folder.join('backup')
  mkdirSync(folder.join('place'))
  target = folder.join('place/app.db')
  using app = new App(folder.join('source.db'))
  app.commit(30)
  expect((await runCLI(['replicate', app.path, backup, '--once'])).status).toBe(EXIT.ok)
  rows = contents(app.path).rows
})

afterEach(() => folder.remove())

/** What an application in the middle of its work has on disk, as a power cut leaves it, under the target's name. */
function leave(mode: 'wal' | 'delete', withDatabase: boolean): void {
  const busy = folder.join('busy.db')
  rmSync(busy, { force: true })
  const db = new Database(busy)
  db.pragma(`journal_mode = ${mode}`)
  db.exec('CREATE TABLE entry (n INTEGER PRIMARY KEY, body BLOB)')
  const fill = 'WITH RECURSIVE i(n) AS (VALUES(1) UNION ALL SELECT n + 1 FROM i WHERE n < 500) '
  db.exec(`${fill} INSERT INTO entry SELECT n, zeroblob(2000) FROM i`)
  if (mode === 'delete') {
    // More than fits the cache: the journal is synced and pages are in the database before the commit.
    db.pragma('cache_size = 10')
    db.exec('BEGIN; UPDATE entry SET body = randomblob(2000)')
  }
  for (const suffix of ['', '-wal', '-shm', '-journal']) {
    if (suffix === '' && !withDatabase) continue
    if (existsSync(busy + suffix)) copyFileSync(busy + suffix, target + suffix)
  }
  if (db.inTransaction) db.exec('ROLLBACK')
  db.close()
}

test.each([
  { name: 'T74: a hot journal', mode: 'delete', journal: 'app.db-journal' },
  { name: 'T39: a WAL with commits', mode: 'wal', journal: 'app.db-wal' },
] as const)('$name of an earlier database is not applied to the restored one', async ({ mode, journal }) => {
  for (const [withDatabase, flags] of [
    [true, ['--force']],
    [true, ['--delta']],
    [false, []],
    [false, ['--force']],
  ] as const) {
    leave(mode, withDatabase)
    expect(readdirSync(join(target, '..'))).toContain(journal)
    const { status, stderr } = await runCLI(['restore', backup, '-o', target, ...flags])
    expect([status, stderr]).toEqual([EXIT.ok, ''])
    for (const suffix of ['-wal', '-shm', '-journal']) expect(existsSync(target + suffix)).toBe(false)
    expect(contents(target)).toEqual({ rows, problems: 'ok' })
    const left = readdirSync(join(target, '..')).filter((name) => /restore|probe/.test(name))
    expect(left).toEqual([])
    rmSync(folder.join('place'), { recursive: true })
    mkdirSync(folder.join('place'))
  }
})

const HOLD = `
  import Database from 'better-sqlite3'
  const db = new Database(process.argv[1])
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY, body BLOB)')
  db.exec("INSERT INTO entry VALUES (1, x'00')")
  console.log('open')
  setInterval(() => {}, 1000)
`

test('T40: a database that an application has open is not replaced, with --force and with --delta; afterwards it is', async () => {
  const app = startProgram(process.execPath, ['--input-type=module', '-e', HOLD, target], {
    cwd: import.meta.dirname,
  })
  await app.line(/^open$/)
  const before = readdirSync(join(target, '..'))
  for (const flag of ['--force', '--delta']) {
    const { status, stderr } = await runCLI(['restore', backup, '-o', target, flag])
    expect(stderr).toMatch(
      /^error: .*app\.db is open in another process \(busy\)\nhint: Stop the application/,
    )
    expect(status).toBe(EXIT.conflict)
    expect(readdirSync(join(target, '..'))).toEqual(before)
  }
  app.child.kill('SIGKILL')
  await app.result
  expect(contents(target).rows).toBe('100')
  expect((await runCLI(['restore', backup, '-o', target, '--force'])).status).toBe(EXIT.ok)
  expect(contents(target)).toEqual({ rows, problems: 'ok' })
})
