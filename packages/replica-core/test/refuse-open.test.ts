import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { refuseIfOpen } from '../src/index.ts'
import { Application } from './scenarios/support/application.ts'

let folder: TempFolder
let path: string

beforeEach(() => {
  folder = new TempFolder('refuse')
  mkdirSync(folder.join('db'))
  path = folder.join('db', 'app.db')
})

afterEach(() => folder.remove())

/** Every file beside the database, with its bytes. Only while nobody has them open in this process. */
function files(): Record<string, string> {
  const names = readdirSync(folder.join('db')).sort()
  return Object.fromEntries(names.map((name) => [name, readFileSync(folder.join('db', name), 'hex')]))
}

it('T40: a database in WAL mode that an application has open, although it does nothing, is refused, and nothing changes', async () => {
  await using app = await Application.start()
  app.open(path)
  app.run('PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(v); INSERT INTO t VALUES(1)')
  const before = readdirSync(folder.join('db'))
  for (let i = 0; i < 3; i++) {
    await expect(refuseIfOpen(path)).rejects.toMatchObject({
      code: 'busy',
      hint: expect.stringMatching(/Stop/),
    })
  }
  expect(readdirSync(folder.join('db'))).toEqual(before)
  app.run('INSERT INTO t VALUES(2)')
  expect(app.value('SELECT count(*) FROM t')).toBe(2)
  app.close('main')
  await refuseIfOpen(path)
})

it('T40: with a rollback journal it is refused inside a transaction', async () => {
  await using app = await Application.start()
  app.open(path)
  app.run('PRAGMA journal_mode=DELETE; CREATE TABLE t(v)')
  for (const begin of ['BEGIN; SELECT * FROM t', 'BEGIN IMMEDIATE', 'BEGIN EXCLUSIVE']) {
    app.run(begin)
    // A read begins when its first row is asked for.
    if (begin.includes('SELECT')) expect(app.value('SELECT count(*) FROM t')).toBe(0)
    await expect(refuseIfOpen(path)).rejects.toMatchObject({ code: 'busy' })
    app.run('ROLLBACK')
  }
  await refuseIfOpen(path)
})

it('T40: what a killed application has left is not applied by asking: every byte stays', async () => {
  await using app = await Application.start()
  app.open(path)
  app.run('PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; CREATE TABLE t(v); INSERT INTO t VALUES(1)')
  await app.kill()
  const before = files()
  expect(Object.keys(before)).toContain('app.db-wal')
  await refuseIfOpen(path)
  expect(files()).toEqual(before)
  const db = new Database(path)
  expect(db.prepare('SELECT v FROM t').pluck().get()).toBe(1)
  db.close()
})

it('T40: what is no database, and what is not there, is not refused; what a killed probe left is removed', async () => {
  await refuseIfOpen(path)
  writeFileSync(path, 'precious '.repeat(200))
  writeFileSync(folder.join('db', '.app.db.sqlstream-probe'), '')
  writeFileSync(folder.join('db', '.app.db.sqlstream-probe-wal'), 'x')
  const { 'app.db': content } = files()
  await refuseIfOpen(path)
  expect(files()).toEqual({ 'app.db': content })
})
