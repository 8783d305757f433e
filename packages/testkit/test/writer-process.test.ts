import { appendFileSync, readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { checkPrefix, HOSTILE_MIX, TempFolder, WriterProcess } from '../src/index.ts'

function paths(folder: TempFolder): { database: string; commitLog: string } {
  return { database: folder.join('app.db'), commitLog: folder.join('commits') }
}

describe('WriterProcess', () => {
  it('writes numbered transactions, and a line for each after its commit', async () => {
    using folder = new TempFolder()
    const writer = await WriterProcess.start({ ...paths(folder), commits: 200 })
    const report = await writer.finished()
    expect(report.commits).toBe(200)
    expect(report.latency.p50).toBeGreaterThan(0)
    expect(readFileSync(writer.options.commitLog, 'utf8').trim().split('\n').map(Number)).toEqual(
      Array.from({ length: 200 }, (_, i) => i + 1),
    )
    expect(checkPrefix(writer.options.database, writer.options.commitLog, { atLeast: 200 })).toEqual({
      rows: 200,
      committed: 200,
    })
  })

  it('does everything that a hostile application does', async () => {
    using folder = new TempFolder()
    const often = Object.fromEntries(Object.keys(HOSTILE_MIX).map((action) => [action, 0.1]))
    const writer = await WriterProcess.start({ ...paths(folder), commits: 150, seed: 7, mix: often })
    const report = await writer.finished()
    expect(report.vacuums).toBeGreaterThan(0)
    expect(report.rollbacks).toBeGreaterThan(0)
    expect(report.schemaChanges).toBeGreaterThan(0)
    expect(report.checkpoints).toBeGreaterThan(20)
    checkPrefix(writer.options.database, writer.options.commitLog, { atLeast: 150 })
  })

  it('goes on with the next number after it was killed, and owes no line', async () => {
    using folder = new TempFolder()
    let committed = 0
    for (let round = 0; round < 5; round++) {
      await using writer = await WriterProcess.start({ ...paths(folder), seed: round, mix: { spill: 0.05 } })
      await writer.waitForCommits(committed + 40)
      const exit = await writer.kill()
      expect(exit.signal).toBe('SIGKILL')
      committed = writer.committed()
    }
    const { database, commitLog } = paths(folder)
    const { rows } = checkPrefix(database, commitLog, { atLeast: committed })
    expect(rows).toBeGreaterThanOrEqual(200)
  })

  it('keeps to its rate', async () => {
    using folder = new TempFolder()
    const writer = await WriterProcess.start({
      ...paths(folder),
      rate: 500,
      commits: 250,
      synchronous: 'OFF',
    })
    const { milliseconds } = await writer.finished()
    expect(milliseconds).toBeGreaterThan(490)
    expect(milliseconds).toBeLessThan(5000)
  })

  it('finishes its transaction and reports when it is told to stop', async () => {
    using folder = new TempFolder()
    const writer = await WriterProcess.start(paths(folder))
    const report = await writer.stop()
    expect(report.commits).toBe(writer.committed())
  })

  it('shares a database with other writers, each with its own commit log', async () => {
    using folder = new TempFolder()
    const { database } = paths(folder)
    const logs = [folder.join('a'), folder.join('b')]
    const first = await WriterProcess.start({ database, commitLog: logs[0]!, commits: 100 })
    const second = await WriterProcess.start({ database, commitLog: logs[1]!, commits: 100 })
    await Promise.all([first.finished(), second.finished()])
    expect(checkPrefix(database, logs, { atLeast: 200 }).rows).toBe(200)
  })

  it('refuses a database that lost an acknowledged commit', async () => {
    using folder = new TempFolder()
    const writer = await WriterProcess.start({ ...paths(folder), commits: 5 })
    await writer.finished()
    appendFileSync(writer.options.commitLog, '6\n')
    await expect(WriterProcess.start(paths(folder))).rejects.toThrow(/ends at 5, although commit 6/)
  })

  it('says why it ended when the database is unusable', async () => {
    using folder = new TempFolder()
    const { database, commitLog } = paths(folder)
    appendFileSync(database, 'not a database, but long enough to be read as one'.repeat(20))
    await expect(WriterProcess.start({ database, commitLog })).rejects.toThrow(/file is not a database/)
  })

  it('opens the database with the page size, vacuum mode and checkpoint threshold asked for', async () => {
    using folder = new TempFolder()
    const options = {
      ...paths(folder),
      pageSize: 1024,
      autoVacuum: 'incremental',
      autoCheckpoint: 0,
    } as const
    await (await WriterProcess.start({ ...options, commits: 3 })).finished()
    const db = new Database(options.database, { readonly: true })
    expect(db.pragma('page_size', { simple: true })).toBe(1024)
    expect(db.pragma('auto_vacuum', { simple: true })).toBe(2)
    expect(db.pragma('journal_mode', { simple: true })).toBe('wal')
    db.close()
  })
})
