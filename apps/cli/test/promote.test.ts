import { readdirSync } from 'node:fs'
import { checkPrefix, lastCommit, TempFolder, WriterProcess } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI } from './support/run-cli.ts'
import { Started } from './support/started.ts'

let folder: TempFolder
let url: string
const started = new Started()
beforeEach(() => {
  folder = new TempFolder('promote')
  url = folder.join('replica')
})
afterEach(async () => {
  await started.end()
  folder.remove()
})

/** The events of a process so far, by type. */
function seen(text: string, type: string): Record<string, unknown>[] {
  return text
    .split('\n')
    .filter((line) => line.includes(`"type":"${type}"`))
    .map((line) => JSON.parse(line) as Record<string, unknown>)
}

describe('promote', () => {
  test('P28: under load, with the old writer paused and woken again: nothing acknowledged is lost, and its tail is kept', async () => {
    const database = folder.join('old.db')
    const copy = folder.join('new.db')
    const commitLog = folder.join('commits')
    await using writer = await WriterProcess.start({ database, commitLog, rate: 200 })
    await writer.waitForCommits(20)
    const lease = ['--lease-ttl', '2s', '--sync-interval', '20ms', '--json', '--no-socket']
    const old = started.start('replicate', database, url, ...lease)
    let told = ''
    old.child.stdout?.on('data', (text: string) => {
      told += text
    })
    await old.line(/"to":"idle"/)
    const follow = started.start('follow', url, copy, '--json', '--interval', '20ms')
    await follow.line(/"type":"applied"/)

    // The old machine hangs; what it had acknowledged before is all that counts.
    old.child.kill('SIGSTOP')
    const acknowledged = seen(told, 'uploaded').at(-1) as { file: { maxTXID: string } }
    follow.child.kill('SIGTERM')
    await follow.result
    const promoted = await runCLI(['promote', url, copy, '--json'])
    expect(promoted).toMatchObject({ status: 0 })
    const { txid, epoch } = SCHEMAS.promote.parse(JSON.parse(promoted.stdout))
    expect(txid > acknowledged.file.maxTXID).toBe(true)
    expect(epoch).toBe('2')
    const acked = folder.join('acknowledged.db')
    await runCLI(['restore', url, '-o', acked, '--txid', acknowledged.file.maxTXID])
    const atLeast = checkPrefix(acked, commitLog, { atLeast: 1 }).rows
    const atPromotion = checkPrefix(copy, commitLog, { atLeast }).rows

    // It wakes, while its application goes on, and finds out.
    const commitsBefore = lastCommit(commitLog)
    old.child.kill('SIGCONT')
    await writer.waitForCommits(commitsBefore + 20)
    const { status } = await old.result
    expect(status).toBe(12)
    await writer.stop()
    expect(readdirSync(folder.join('.old.db-sqlstream', 'spool')).length).toBeGreaterThan(0)

    // The copy is an application's database now, and its writer goes on without another image.
    const db = new Database(copy)
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    const next = started.start('replicate', copy, url, ...lease)
    await next.line(/"to":"idle"/)
    db.exec('CREATE TABLE after_promotion AS SELECT 1 AS n')
    await next.line(/"type":"uploaded"/)
    next.child.kill('SIGINT')
    const ended = await next.result
    expect(ended.status).toBe(0)
    expect(seen(ended.stdout, 'snapshot-started')).toEqual([])
    db.close()

    const restored = folder.join('restored.db')
    expect(await runCLI(['restore', url, '-o', restored])).toMatchObject({ status: 0 })
    const after = new Database(restored)
    expect(after.prepare('SELECT n FROM after_promotion').pluck().get()).toBe(1)
    after.close()
    expect(checkPrefix(restored, commitLog, { atLeast: 1 }).rows).toBe(atPromotion)
    expect(await runCLI(['verify', url, '--depth', 'bytes'])).toMatchObject({ status: 0 })
  })

  test('a writer that lives is not shut out; a copy that is none yet is restored', async () => {
    using app = new App(folder.join('app.db'))
    app.commit(3)
    const replicate = started.start(
      'replicate',
      app.path,
      url,
      '--json',
      '--sync-interval',
      '20ms',
      '--lease-ttl',
      '3s',
    )
    await replicate.line(/"type":"snapshotted"/)
    const copy = folder.join('copy.db')
    // It shows life by renewing, which it does while it has something to do.
    const busy = setInterval(() => app.commit(), 20)
    const refused = await runCLI(['promote', url, copy])
    clearInterval(busy)
    expect(refused).toMatchObject({ status: 5, stderr: expect.stringContaining('(lease-held)') })
    replicate.child.kill('SIGINT')
    await replicate.result
    const done = await runCLI(['promote', url, copy])
    expect(done).toMatchObject({ status: 0, stderr: '' })
    expect(done.stdout).toMatch(
      /copy\.db is the database now, at TXID [0-9a-f]{16} .*\ngo on with: sqlstream replicate /,
    )
    expect(contents(copy)).toEqual({ rows: contents(app.path).rows, problems: 'ok' })
    const again = await runCLI(['promote', url, copy])
    expect(again.status).toBe(7)
  })
})
