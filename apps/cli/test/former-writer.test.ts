import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs'
import { compareImages, lastCommit, TempFolder, WriterProcess } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { type CLIResult, runCLI } from './support/run-cli.ts'
import { Started } from './support/started.ts'

const FLAGS = ['--lease-ttl', '2s', '--sync-interval', '20ms', '--no-socket']

let folder: TempFolder
let url: string
let old: string
let successor: string
let commitLog: string
let writer: WriterProcess
const started = new Started()
beforeEach(async () => {
  folder = new TempFolder('former-writer')
  mkdirSync(folder.join('a'))
  url = folder.join('replica')
  old = folder.join('a/app.db')
  successor = folder.join('successor.db')
  commitLog = folder.join('commits')
  writer = await WriterProcess.start({ database: old, commitLog, rate: 200 })
})
afterEach(async () => {
  await writer.kill()
  await started.end()
  folder.remove()
})

async function succeed(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runCLI(args)
  expect([status, stderr.replace(/^waiting: .*\n/gm, '')]).toEqual([EXIT.ok, ''])
  return stdout
}

const objects = (): string[] =>
  readdirSync(folder.join('replica/ltx'), { recursive: true }).map(String).sort()
const spooled = (): string[] => readdirSync(folder.join('a/.app.db-sqlstream/spool')).sort()

/** Numbers of the commits of the first writer that a database has. */
function commitsIn(path: string): number {
  const db = new Database(path, { readonly: true })
  try {
    return db.prepare('SELECT max(n) FROM log').pluck().get() as number
  } finally {
    db.close()
  }
}

/**
 * The first writer's replicator hangs while its application goes on; a second machine takes over and writes two transactions.
 * The application of the first one dies, with commits in its WAL that nobody else has.
 */
async function takeOver(how: 'restored' | 'promoted', captured: boolean): Promise<CLIResult> {
  const former = started.start('replicate', old, url, ...FLAGS)
  await former.line(/snapshot .* uploaded: /)
  former.child.kill('SIGSTOP')
  await writer.waitForCommits(lastCommit(commitLog) + 20)
  if (how === 'restored') {
    await succeed('restore', url, '-o', successor)
    await succeed('lease', 'steal', url)
  } else {
    await succeed('follow', url, successor, '--once')
    await succeed('promote', url, successor)
  }
  const db = new Database(successor)
  db.exec('CREATE TABLE after_takeover(n); INSERT INTO after_takeover VALUES(1)')
  db.close()
  await succeed('replicate', successor, url, '--once', ...FLAGS)
  const before = objects()
  if (captured) {
    former.child.kill('SIGCONT')
    const ended = await former.result
    await writer.waitForCommits(lastCommit(commitLog) + 5)
    expect(objects()).toEqual(before)
    await writer.kill()
    return ended
  }
  former.child.kill('SIGKILL')
  await writer.kill()
  return former.result
}

/** The newest state of the replica, in a file of its own, proven. */
async function newest(): Promise<string> {
  const path = folder.join('newest.db')
  await succeed('restore', url, '-o', path, '--force')
  const db = new Database(path, { readonly: true })
  expect(db.prepare('SELECT n FROM after_takeover').pluck().all()).toEqual([1])
  db.close()
  return path
}

/** Nothing lies beside the database that SQLite would apply to it. */
function expectNoLeftovers(): void {
  for (const suffix of ['-wal', '-shm', '-journal']) expect(existsSync(old + suffix), suffix).toBe(false)
}

/** All pages, without the fields that a copy which follows has of its own. */
function pagesOf(path: string): Buffer {
  const bytes = readFileSync(path)
  for (const [start, end] of [
    [18, 20],
    [24, 32],
    [40, 44],
    [92, 100],
  ] as const)
    bytes.fill(0, start, end)
  return bytes
}

describe('T63: a former writer comes back with commits that nobody has', () => {
  test.each(['restored', 'promoted'] as const)(
    'another one was %s: its replicator is fenced, overwrites nothing, and says what it keeps',
    async (how) => {
      const { status, stdout } = await takeOver(how, true)
      expect(status).toBe(EXIT.fenced)
      expect(stdout).toMatch(/fenced: another writer has taken over this replica\n/)
      expect(stdout).toMatch(/[1-9]\d* files? not uploaded, kept beside the database for the next start\n$/)
      const kept = spooled()
      expect(kept.length).toBeGreaterThan(0)
      const before = objects()
      // Its supervisor starts it again.
      for (const policy of [[], ['--on-behind', 'refuse', '--on-diverged', 'refuse']]) {
        const again = await runCLI(['replicate', old, url, '--once', ...FLAGS, ...policy])
        expect(again).toMatchObject({
          status: EXIT.conflict,
          stderr: expect.stringMatching(/\((behind|diverged)\)\nhint: /),
        })
      }
      expect(spooled()).toEqual(kept)
      expect(objects()).toEqual(before)
      expect(commitsIn(old)).toBeGreaterThan(commitsIn(await newest()))
    },
  )

  test.each([
    ['--force', true],
    ['--delta', true],
    ['--force', false],
    ['--delta', false],
  ] as const)(
    'restored over with %s (captured: %s): it is the chain, page by page, and what was captured is kept aside',
    async (flag, captured) => {
      await takeOver('promoted', captured)
      const mine = commitsIn(old)
      expect(existsSync(`${old}-wal`)).toBe(true)
      const files = [old, `${old}-wal`].map((path) => readFileSync(path))
      const refused = await runCLI(['restore', url, '-o', old])
      expect(refused).toMatchObject({ status: EXIT.targetExists, stderr: expect.stringContaining('--force') })
      expect([old, `${old}-wal`].map((path) => readFileSync(path))).toEqual(files)
      const tail = spooled()
      const told = await succeed('restore', url, '-o', old, flag)
      expectNoLeftovers()
      expect(compareImages(old, await newest())).toMatchObject({ equal: true })
      expect(commitsIn(old)).toBeLessThan(mine)
      expect(spooled()).toEqual([])
      const folders = existsSync(folder.join('a/.app.db-sqlstream/kept'))
        ? readdirSync(folder.join('a/.app.db-sqlstream/kept'))
        : []
      expect(
        folders.flatMap((name) => readdirSync(folder.join('a/.app.db-sqlstream/kept', name))).sort(),
      ).toEqual(tail)
      expect(told.includes('kept in')).toBe(tail.length > 0)
      // A capture may have been under way when it was stopped.
      if (captured) expect(tail).not.toEqual([])
      // It goes on as the next writer, and nothing comes back.
      const db = new Database(old)
      db.pragma('journal_mode = WAL')
      db.exec('INSERT INTO after_takeover VALUES(2)')
      await succeed('replicate', old, url, '--once', ...FLAGS)
      db.close()
      await succeed('restore', url, '-o', folder.join('last.db'))
      expect(compareImages(old, folder.join('last.db'))).toMatchObject({ equal: true })
    },
  )

  test.each([true, false])(
    'made a follower (captured: %s): refused without a word for it, then it is the chain, and what was captured stays',
    async (captured) => {
      await takeOver('promoted', captured)
      const mine = commitsIn(old)
      const tail = spooled()
      const files = [old, `${old}-wal`].map((path) => readFileSync(path))
      for (const flags of [[], ['--rebase']]) {
        const refused = await runCLI(['follow', url, old, '--once', ...flags])
        expect(refused).toMatchObject({
          status: EXIT.targetExists,
          stderr: expect.stringContaining('--force'),
        })
      }
      expect([old, `${old}-wal`].map((path) => readFileSync(path))).toEqual(files)
      await succeed('follow', url, old, '--once', '--force')
      expectNoLeftovers()
      expect(commitsIn(old)).toBeLessThan(mine)
      expect(pagesOf(old).equals(pagesOf(await newest()))).toBe(true)
      expect(spooled()).toEqual(tail)
      // Promoted in its turn it says where that is.
      const promoted = await succeed('promote', url, old)
      expect(promoted.includes('kept in')).toBe(tail.length > 0)
      expect(compareImages(old, await newest())).toMatchObject({ equal: true })
    },
  )
})
