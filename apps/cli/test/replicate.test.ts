import { readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { runCLI, startCLI } from './support/run-cli.ts'

let folder: TempFolder
let app: App
let backup = ''

beforeEach(() => {
  folder = new TempFolder('cli')
  app = new App(folder.join('app.db'))
  backup = folder.join('backup')
})

afterEach(() => {
  app[Symbol.dispose]()
  folder.remove()
})

async function restored(): Promise<{ rows: string; problems: string }> {
  rmSync(folder.join('copy.db'), { force: true })
  const { status, stderr } = await runCLI(['restore', backup, '-o', folder.join('copy.db'), '--force'])
  expect(stderr).toBe('')
  expect(status).toBe(EXIT.ok)
  return contents(folder.join('copy.db'))
}

describe('replicate --once', () => {
  test('uploads everything that is committed and says so', async () => {
    app.commit(50)
    const { status, stdout, stderr } = await runCLI(['replicate', app.path, backup, '--once'])
    expect(stderr).toBe('')
    expect(status).toBe(EXIT.ok)
    expect(stdout).toMatch(/stopped; everything is in the replica up to TXID 0000000000000001/)
    expect(await restored()).toEqual({ ...contents(app.path), problems: 'ok' })
  })

  test('run again, it uploads only what has changed', async () => {
    app.commit(500)
    await runCLI(['replicate', app.path, backup, '--once'])
    app.commit(1)
    const { status, stdout } = await runCLI(['replicate', app.path, backup, '--once'])
    expect(status).toBe(EXIT.ok)
    expect(stdout).not.toMatch(/snapshot/)
    const captures = readdirSync(`${backup}/ltx/0`)
    expect(captures).toEqual(['0000000000000002-0000000000000002.ltx'])
    expect(readFileSync(`${backup}/ltx/0/${captures[0]}`).length).toBeLessThan(20_000)
    expect(await restored()).toEqual({ ...contents(app.path), problems: 'ok' })
  })

  test('with nothing new, it uploads nothing', async () => {
    app.commit(5)
    await runCLI(['replicate', app.path, backup, '--once'])
    const before = readdirSync(backup, { recursive: true })
    expect((await runCLI(['replicate', app.path, backup, '--once'])).status).toBe(EXIT.ok)
    expect(readdirSync(backup, { recursive: true })).toEqual(before)
  })

  test('a restored database goes on in the same replica without a new snapshot', async () => {
    app.commit(100)
    await runCLI(['replicate', app.path, backup, '--once'])
    await runCLI(['restore', backup, '-o', folder.join('second.db')])
    using second = new App(folder.join('second.db'))
    second.db.exec(`INSERT INTO entry VALUES (1000, x'00')`)
    const { status, stdout, stderr } = await runCLI(['replicate', second.path, backup, '--once'])
    expect(stderr).toBe('')
    expect(status).toBe(EXIT.ok)
    expect(stdout).not.toMatch(/snapshot/)
    expect(await restored()).toEqual({ ...contents(second.path), problems: 'ok' })
  })
})

describe('replicate', () => {
  test('streams commits until Ctrl-C, which uploads what is left and says what is safe', async () => {
    app.commit(3)
    const cli = startCLI(['replicate', app.path, backup, '--sync-interval', '50ms'])
    await cli.line(/replicating to/)
    app.commit(40)
    cli.child.kill('SIGINT')
    const { status, stdout, stderr } = await cli.result
    expect(stderr).toBe('')
    expect(status).toBe(EXIT.ok)
    expect(stdout).toMatch(/stopped; everything is in the replica up to TXID/)
    expect(await restored()).toEqual({ ...contents(app.path), problems: 'ok' })
  })

  test('T38: SIGTERM is as good as Ctrl-C', async () => {
    app.commit(3)
    const cli = startCLI(['replicate', app.path, backup])
    await cli.line(/replicating to/)
    app.commit(10)
    cli.child.kill('SIGTERM')
    expect((await cli.result).status).toBe(EXIT.ok)
    expect((await restored()).rows).toBe(contents(app.path).rows)
  })

  test('--json gives one valid line per event, the last one says what is safe', async () => {
    app.commit(3)
    const cli = startCLI(['replicate', app.path, backup, '--json', '--sync-interval', '20ms'])
    await cli.line(/"type":"snapshotted"/)
    app.commit(10)
    await cli.line(/"type":"uploaded"/)
    cli.child.kill('SIGINT')
    const { stdout } = await cli.result
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => SCHEMAS['replicate-event'].parse(JSON.parse(line)))
    const last = events.at(-1)
    expect(last).toMatchObject({ type: 'stopped', pendingFiles: 0, database: app.path, replica: backup })
    expect(last?.type === 'stopped' && last.uploaded).toBe(last?.type === 'stopped' && last.captured?.txid)
  })

  test('replicates several databases in one process', async () => {
    using other = new App(folder.join('jobs.db'))
    app.commit(5)
    other.commit(7)
    const pairs = [app.path, backup, other.path, folder.join('backup-jobs')]
    expect((await runCLI(['replicate', ...pairs, '--once'])).status).toBe(EXIT.ok)
    await runCLI(['restore', folder.join('backup-jobs'), '-o', folder.join('copy-jobs.db')])
    expect(contents(folder.join('copy-jobs.db')).rows).toBe(contents(other.path).rows)
    expect((await restored()).rows).toBe(contents(app.path).rows)
  })

  test('killed and started again, it loses nothing and goes on', async () => {
    app.commit(3)
    for (let round = 0; round < 3; round++) {
      const cli = startCLI(['replicate', app.path, backup, '--sync-interval', '10ms'])
      await cli.line(/replicating to/)
      app.commit(30)
      cli.child.kill('SIGKILL')
      await cli.result
    }
    await runCLI(['replicate', app.path, backup, '--once'])
    expect(await restored()).toEqual({ ...contents(app.path), problems: 'ok' })
    expect((await runCLI(['verify', backup, '--depth', 'bytes'])).status).toBe(EXIT.ok)
  })

  test('a store that is gone: Ctrl-C says what is not uploaded, and the next start uploads it', async () => {
    app.commit(3)
    const cli = startCLI(['replicate', app.path, backup, '--json', '--sync-interval', '20ms'])
    await cli.line(/"type":"snapshotted"/)
    renameSync(backup, folder.join('away'))
    writeFileSync(backup, 'a file where the folder was')
    app.commit(20)
    await cli.line(/"type":"failed","operation":"upload"/)
    cli.child.kill('SIGINT')
    const { status, stdout } = await cli.result
    expect(status).toBe(EXIT.interrupted)
    const last = SCHEMAS['replicate-event'].parse(JSON.parse(stdout.trim().split('\n').at(-1) ?? ''))
    expect(last).toMatchObject({ type: 'stopped', uploaded: '0000000000000001' })
    expect(last.type === 'stopped' && last.pendingFiles).toBeGreaterThan(0)

    rmSync(backup)
    renameSync(folder.join('away'), backup)
    expect((await runCLI(['replicate', app.path, backup, '--once'])).status).toBe(EXIT.ok)
    expect(await restored()).toEqual({ ...contents(app.path), problems: 'ok' })
  })

  test('a second replicator of the same database is refused', async () => {
    app.commit(1)
    const cli = startCLI(['replicate', app.path, backup])
    await cli.line(/replicating to/)
    const second = await runCLI(['replicate', app.path, folder.join('elsewhere'), '--once'])
    cli.child.kill('SIGINT')
    await cli.result
    expect(second.status).toBe(EXIT.conflict)
    expect(second.stderr).toMatch(/^error: .*\(locked\)\nhint: /)
  })

  test('another database is refused by a replica that has an owner', async () => {
    app.commit(5)
    await runCLI(['replicate', app.path, backup, '--once'])
    using other = new App(folder.join('other.db'))
    other.commit(2)
    await runCLI(['replicate', other.path, folder.join('backup-other'), '--once'])
    const { status, stderr } = await runCLI(['replicate', other.path, backup, '--once'])
    expect(status).toBe(EXIT.conflict)
    expect(stderr).toMatch(/^error: .*\(wrong-database\)\nhint: /)
    expect((await restored()).rows).toBe(contents(app.path).rows)
  })
})

describe('status', () => {
  test('tells whether a replicator runs, what is captured, and what has arrived', async () => {
    app.commit(2)
    const before = await runCLI(['status', app.path])
    expect(before.status).toBe(EXIT.ok)
    expect(before.stdout).toMatch(/no replicator is running\n.*nothing was captured/)

    const cli = startCLI(['replicate', app.path, backup, '--json'])
    await cli.line(/"type":"snapshotted"/)
    const during = SCHEMAS.status.parse(JSON.parse((await runCLI(['status', app.path, '--json'])).stdout))
    expect(during).toMatchObject({ running: true, replicated: true })
    cli.child.kill('SIGINT')
    await cli.result

    const after = SCHEMAS.status.parse(
      JSON.parse((await runCLI(['status', app.path, backup, '--json'])).stdout),
    )
    expect(after).toMatchObject({
      running: false,
      replicated: true,
      pendingFiles: 0,
      replica: { position: 'equal' },
    })
    expect((await runCLI(['status', app.path, backup])).stdout).toMatch(/holds everything that was captured/)
  })

  test('a database that does not exist is not found', async () => {
    const { status, stderr } = await runCLI(['status', folder.join('none.db')])
    expect(status).toBe(EXIT.notFound)
    expect(stderr).toMatch(/\(file-missing\)$/m)
  })
})
