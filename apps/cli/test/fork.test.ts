import { TempFolder } from '@sqlstream/testkit'
import { FakeS3 } from '@sqlstream/testkit/servers'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI, startCLI } from './support/run-cli.ts'

let folder: TempFolder
let app: App
let url: string
/** Rows after each TXID. */
let states: string[]
beforeEach(async () => {
  folder = new TempFolder('fork')
  app = new App(folder.join('app.db'))
  url = folder.join('replica')
  states = ['']
  for (let i = 1; i <= 3; i++) await commit()
})
afterEach(() => {
  app[Symbol.dispose]()
  folder.remove()
})

async function commit(): Promise<void> {
  app.commit(2)
  states.push(contents(app.path).rows)
  await succeed('replicate', app.path, url, '--once', '--no-compaction')
}

async function succeed(...args: readonly string[]): Promise<string> {
  const { status, stdout, stderr } = await runCLI(args)
  expect(`${stderr}${status}`).toBe('0')
  return stdout
}

async function rowsOf(...args: readonly string[]): Promise<string> {
  await succeed('restore', ...args, '-o', folder.join('restored.db'), '--force')
  return contents(folder.join('restored.db')).rows
}

describe('fork', () => {
  test('begins a replica of its own with a past state, on which a database goes on', async () => {
    const other = folder.join('other')
    const json = SCHEMAS.fork.parse(JSON.parse(await succeed('fork', url, other, '--txid', '2', '--json')))
    expect(json).toMatchObject({ dryRun: false, txid: '0000000000000002', files: [{}, {}] })
    expect(await rowsOf(other)).toBe(states[2])
    await succeed('verify', other, '--depth', 'bytes')

    const mine = folder.join('mine.db')
    await succeed('restore', other, '-o', mine)
    const db = new Database(mine)
    db.exec("INSERT INTO entry VALUES (1000, 'of the fork')")
    db.close()
    const out = await succeed('replicate', mine, other, '--once')
    expect(out).not.toContain('snapshot')
    expect(await rowsOf(other)).toBe(contents(mine).rows)
    // The two have nothing to do with each other.
    await commit()
    expect(await rowsOf(url)).toBe(states.at(-1))
    const wrong = await runCLI(['replicate', app.path, other, '--once'])
    expect(wrong).toMatchObject({ status: 5, stderr: expect.stringContaining('(wrong-database)') })
  })

  test('a try writes nothing, and a place where something is stays as it is', async () => {
    const other = folder.join('other')
    expect(await succeed('fork', url, other, '--dry-run')).toMatch(
      /would begin with TXID 0000000000000003 .* 3 files, /,
    )
    expect((await runCLI(['list', other])).status).toBe(3)
    await succeed('fork', url, other)
    const again = await runCLI(['fork', url, other, '--txid', '1'])
    expect(again).toMatchObject({ status: 7, stderr: expect.stringContaining('(sink-exists)') })
    expect(await runCLI(['fork', url, url])).toMatchObject({ status: 2 })
    const nothing = await runCLI(['fork', folder.join('nowhere'), folder.join('more')])
    expect(nothing).toMatchObject({ status: 3, stderr: expect.stringContaining('(no-backup)') })
  })
})

describe('rollback', () => {
  test('makes a past state the newest; the application goes on from there, and an undo leads back', async () => {
    const json = SCHEMAS.rollback.parse(JSON.parse(await succeed('rollback', url, '--txid', '1', '--json')))
    expect(json).toMatchObject({
      to: { txid: '0000000000000001' },
      from: { txid: '0000000000000003' },
      head: '0000000000000004',
      undo: { txid: '0000000000000003' },
    })
    expect(await rowsOf(url)).toBe(states[1])
    for (const txid of [1, 2, 3]) expect(await rowsOf(url, '--txid', `${txid}`)).toBe(states[txid])

    // The application's database is the old one still, and is told so.
    const behind = await runCLI(['replicate', app.path, url, '--once'])
    expect(behind).toMatchObject({ status: 5, stderr: expect.stringContaining('(behind)') })
    app.db.close()
    await succeed('restore', url, '-o', app.path, '--delta')
    app = new App(app.path)
    expect(contents(app.path).rows).toBe(states[1])
    app.commit(1)
    const out = await succeed('replicate', app.path, url, '--once')
    expect(out).not.toContain('snapshot')
    expect(await rowsOf(url)).toBe(contents(app.path).rows)

    const undo = json.undo?.txid as string
    expect(await succeed('rollback', url, '--txid', undo)).toMatch(
      /undo with: sqlstream rollback .* --txid 0000000000000005/,
    )
    expect(await rowsOf(url)).toBe(states[3])
    await succeed('verify', url, '--depth', 'bytes')
  })

  test('says what would change, and that nothing differs', async () => {
    expect(await succeed('rollback', url, '--txid', '1', '--dry-run')).toMatch(
      /pages? of TXID 0000000000000001, .* would follow TXID 0000000000000003/,
    )
    expect(await succeed('rollback', url, '--txid', '3')).toMatch(/nothing to do/)
    expect(await rowsOf(url)).toBe(states[3])
    const usage = await runCLI(['rollback', url])
    expect(usage).toMatchObject({ status: 2, stderr: expect.stringContaining('--at or --txid') })
  })

  test('refuses while a writer has the replica', async () => {
    const writer = startCLI(['replicate', app.path, url, '--json'])
    try {
      await writer.line(/"to":"idle"/)
      const refused = await runCLI(['rollback', url, '--txid', '1'])
      expect(refused).toMatchObject({ status: 5, stderr: expect.stringContaining('(lease-held)') })
    } finally {
      writer.child.kill('SIGINT')
      await writer.result
    }
    expect(await rowsOf(url)).toBe(states[3])
  })
})

describe('fork within a bucket', () => {
  const env = { AWS_ACCESS_KEY_ID: 'key', AWS_SECRET_ACCESS_KEY: 'secret' }

  async function forkIn(s3: FakeS3, parameters: string) {
    const place = (name: string): string =>
      `s3://bucket/${name}?region=us-east-1&endpoint=${encodeURIComponent(s3.url)}${parameters}`
    const run = async (...args: readonly string[]): Promise<string> => {
      const { status, stdout, stderr } = await runCLI(args, { env })
      expect(`${stderr}${status}`).toBe('0')
      return stdout
    }
    if (s3.bucket('bucket').objects.size === 0) {
      // The database is there as one large file, of which a fork that downloads would tell.
      app.db.exec('CREATE TABLE large (x); INSERT INTO large VALUES (randomblob(1000000))')
      await run('replicate', app.path, place('app'), '--once')
    }
    s3.plan()
    const name = `try${parameters.length}`
    const json = SCHEMAS.fork.parse(JSON.parse(await run('fork', place('app'), place(name), '--json')))
    const { bytesIn, bytesOut } = s3.traffic()
    const copies = s3.traffic('CopyObject').requests
    await run('restore', place(name), '-o', folder.join('restored.db'), '--force')
    expect(contents(folder.join('restored.db')).rows).toBe(contents(app.path).rows)
    return { json, bytesOut, bytesIn, copies }
  }

  test('W4: downloads and uploads nothing but headers and records where the service keeps conditions of copies', async () => {
    await using s3 = await FakeS3.start()
    const { json, bytesOut, bytesIn, copies } = await forkIn(s3, '&conditional-copy=true')
    expect(json.bytes).toBeGreaterThan(1_000_000)
    expect(json.bytesCopiedByStore).toBe(json.bytes)
    expect(copies).toBe(json.files.length)
    expect(bytesOut).toBeLessThan(20_000)
    expect(bytesIn).toBeLessThan(20_000)
  })

  test('W4: reads and puts where the service would copy in spite of a condition', async () => {
    await using s3 = await FakeS3.start({ conditions: 'put-only' })
    const { json, bytesOut, bytesIn, copies } = await forkIn(s3, '')
    expect(json.bytesCopiedByStore).toBe(0)
    expect(copies).toBe(0)
    expect(bytesOut).toBeGreaterThan(json.bytes)
    expect(bytesIn).toBeGreaterThan(json.bytes)
  })
})
