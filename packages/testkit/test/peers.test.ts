import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import {
  goldenFolderOrReason,
  loadGolden,
  makeDatabase,
  peerOrReason,
  runProgram,
  TempFolder,
} from '../src/index.ts'

const golden = goldenFolderOrReason()
const vfs = await peerOrReason('litestream-vfs')
const cli = await peerOrReason('litestream-cli')

function reasons(...needed: object[]): string {
  return needed.flatMap((need) => ('reason' in need ? [need.reason] : [])).join('; ')
}

describe('LitestreamVFS', () => {
  it('gives the golden dumps at each instant, and by hydration', async (context) => {
    if ('reason' in golden || 'reason' in vfs) return context.skip(reasons(golden, vfs))
    using folder = new TempFolder('peer')
    const set = loadGolden(golden.folder, 'l0-plain')
    set.copyReplica(folder.join('replica'))
    const url = pathToFileURL(folder.join('replica')).href
    for (const transaction of set.transactions.filter((_, i) => i % 4 === 0)) {
      const at = new Date(transaction.timestampMs + 1)
      expect(await vfs.dump(url, { at })).toBe(set.dump(transaction))
    }
    const last = set.transactions.at(-1)!
    expect(await vfs.dump(url)).toBe(set.dump(last))
    const hydrateInto = folder.join('hydrated.db')
    expect(await vfs.dump(url, { hydrateInto })).toBe(set.dump(last))
    const db = new Database(hydrateInto, { readonly: true })
    expect(db.pragma('integrity_check', { simple: true })).toBe('ok')
    db.close()
  })

  it('reports the error of the peer', async (context) => {
    if ('reason' in golden || 'reason' in vfs) return context.skip(reasons(golden, vfs))
    using folder = new TempFolder('peer')
    loadGolden(golden.folder, 'levels').copyReplica(folder.join('replica'))
    const url = pathToFileURL(folder.join('replica')).href
    await expect(vfs.dump(url, { at: new Date(0) })).rejects.toThrow(/transaction not available/)
  })
})

describe('LitestreamVFSSession', () => {
  it('keeps a replica open and answers one question after the other, until one fails', async (context) => {
    if ('reason' in golden || 'reason' in vfs) return context.skip(reasons(golden, vfs))
    using folder = new TempFolder('peer')
    const set = loadGolden(golden.folder, 'l0-plain')
    set.copyReplica(folder.join('replica'))
    await using session = await vfs.session()
    const url = pathToFileURL(folder.join('replica')).href
    await session.open(url, { pollIntervalMs: 60_000, cacheBytes: 1 << 20 })
    for (let i = 0; i < 2; i++) expect(await session.ask(['.dump'])).toBe(set.dump(set.transactions.at(-1)!))
    expect(await session.ask(['SELECT 1;', 'SELECT 2;'])).toBe('1\n2\n')
    await expect(session.ask(['SELECT * FROM nowhere;'])).rejects.toThrow(/no such table: nowhere/)
    await expect(session.ask(['SELECT 1;'])).rejects.toThrow(/exit code 1/)
  })
})

describe('LitestreamCLI', () => {
  it('restores the golden replica, the newest state and an earlier one', async (context) => {
    if ('reason' in golden || 'reason' in cli) return context.skip(reasons(golden, cli))
    using folder = new TempFolder('peer')
    const set = loadGolden(golden.folder, 'l0-plain')
    set.copyReplica(folder.join('replica'))
    const url = pathToFileURL(folder.join('replica')).href
    for (const transaction of [set.transactions.at(-1)!, set.transactions[4]!]) {
      const output = folder.join(`${transaction.txid}.db`)
      await cli.restore(url, output, { txid: transaction.txid })
      const { stdout } = await runProgram('/usr/bin/sqlite3', [output, '.dump'])
      expect(stdout).toBe(set.dump(transaction))
    }
  })

  it('replicates a live database', async (context) => {
    if ('reason' in cli) return context.skip(cli.reason)
    using folder = new TempFolder('peer')
    const database = folder.join('app.db')
    makeDatabase(database)
    const url = pathToFileURL(folder.join('replica')).href
    await using replication = await cli.replicate(database, url)
    const db = new Database(database)
    db.exec("INSERT INTO t(name) VALUES('while it runs')")
    await replication.stop()
    expect(replication.output).not.toBe('')
    await cli.replicateOnce(database, url)
    expect(readdirSync(join(folder.join('replica'), 'ltx', '0')).length).toBeGreaterThan(0)
    db.close()
    await cli.restore(url, folder.join('restored.db'))
    const restored = new Database(folder.join('restored.db'), { readonly: true })
    expect(restored.prepare('SELECT name FROM t ORDER BY id DESC LIMIT 1').pluck().get()).toBe(
      'while it runs',
    )
    restored.close()
  })
})

describe('peerOrReason', () => {
  it('never skips in CI', async () => {
    if (process.env['CI']) expect(reasons(vfs, cli)).toBe('')
    else expect(typeof reasons(vfs, cli)).toBe('string')
  })
})
