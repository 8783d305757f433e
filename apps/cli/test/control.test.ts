import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { type App, contents } from './support/app.ts'
import { ask, ControlScene } from './support/control-scene.ts'
import { FaultyFolder } from './support/faulty-driver.ts'
import { RUN, startProgram } from './support/run-cli.ts'
import { writeFile } from './support/write-file.ts'

let scene: ControlScene

beforeEach(() => {
  scene = new ControlScene()
})

afterEach(async () => {
  await scene[Symbol.asyncDispose]()
})

async function expectRestored(replica: string, app: App): Promise<void> {
  const copy = scene.folder.join('copy.db')
  const { stderr } = await scene.run('restore', replica, '-o', copy, '--force')
  expect(stderr).toBe('')
  expect(contents(copy)).toEqual({ ...contents(app.path), problems: 'ok' })
}

/** Puts a file where the replicas are, so that nothing can be uploaded, until the returned function is called. */
function storeGone(name = 'backup'): () => void {
  const { folder } = scene
  renameSync(folder.join(name), folder.join('away'))
  writeFileSync(folder.join(name), 'a file where the folder was')
  return () => {
    rmSync(folder.join(name))
    renameSync(folder.join('away'), folder.join(name))
  }
}

describe('sync', () => {
  test('ends when all that was committed before is in the replica, whatever becomes of the process', async () => {
    const app = scene.database('app.db')
    // It would be an hour before the next capture.
    const cli = scene.start('replicate', 'app.db', 'backup', '--sync-interval', '1h', '--json')
    await cli.line(/"to":"idle"/)
    app.commit(20)
    const result = SCHEMAS.sync.parse(await scene.json('sync', 'app.db'))
    cli.child.kill('SIGKILL')
    await cli.result
    expect(result).toMatchObject({ database: app.path, replica: 'backup' })
    const { stdout } = await scene.run('ltx', 'list', 'backup', '--json')
    expect(SCHEMAS['ltx-list'].parse(JSON.parse(stdout)).head).toBe(result.txid)
    await expectRestored('backup', app)
  })

  test('says that it timed out while the store is gone, and succeeds when it is back', async () => {
    const app = scene.database('app.db')
    const store = new FaultyFolder(scene.folder)
    await scene.replicate('app.db', store.url('backup'))
    await scene.json('sync', 'app.db')
    store.begin('refuse-files')
    app.commit()
    const late = await scene.run('sync', 'app.db', '--timeout', '300ms')
    expect(late.stderr).toMatch(/^error: not done within 300 ms \(timed-out\)\nhint: /)
    expect(late.status).toBe(EXIT.timedOut)
    const status = SCHEMAS['status-live'].parse(await scene.json('status', '--live', 'app.db'))
    expect(status.list[0]).toMatchObject({ state: 'open', pendingFiles: 1 })
    expect(status.lagMs).toBeGreaterThanOrEqual(300)
    store.end('refuse-files')
    await scene.json('sync', 'app.db', '--wait')
    await expectRestored('backup', app)
    expect(await scene.json('status', '--live', 'app.db')).toMatchObject({ lagMs: 0 })
  })

  test('ends at once where waiting will not help, with what the store says', async () => {
    const app = scene.database('app.db')
    await scene.replicate('app.db', 'backup')
    await scene.json('sync', 'app.db')
    // The folder of the store is there, so nobody will mount it.
    rmSync(scene.folder.join('backup/ltx'), { recursive: true })
    writeFileSync(scene.folder.join('backup/ltx'), 'a file where a folder should be')
    app.commit()
    const { stderr } = await scene.run('sync', 'app.db', '--wait')
    expect(stderr).toMatch(/ENOTDIR.*\(invalid-key\)\nhint: /)
  })

  test('ends with Ctrl-C, and what is waited for goes on', async () => {
    const app = scene.database('app.db')
    const store = new FaultyFolder(scene.folder)
    const cli = scene.start('replicate', 'app.db', store.url('backup'), '--sync-interval', '1h', '--json')
    await cli.line(/"type":"snapshotted"/)
    app.commit()
    expect(await scene.json('sync', 'app.db')).toMatchObject({ txid: '0000000000000002' })
    store.begin('refuse-files')
    app.commit()
    const waiting = scene.start('sync', 'app.db', '--wait')
    // Nothing else has it captured within the hour.
    await cli.line(/"type":"captured".*"txid":"0000000000000003"/)
    waiting.child.kill('SIGINT')
    expect((await waiting.result).status).toBe(EXIT.interrupted)
    store.end('refuse-files')
    await cli.line(/"type":"uploaded".*"maxTXID":"0000000000000003"/)
    await expectRestored('backup', app)
  })

  test('finds the database by a link and by a relative path', async () => {
    const app = scene.database('app.db')
    await scene.replicate('app.db', 'backup')
    mkdirSync(scene.folder.join('x'))
    symlinkSync(app.path, scene.folder.join('x/link.db'))
    expect(await scene.json('sync', 'x/link.db')).toMatchObject({ database: app.path })
  })
})

describe('stop and start', () => {
  test('let a database go with all of it in the replica, and take it up again with what was committed meanwhile', async () => {
    const app = scene.database('app.db')
    const other = scene.database('other.db')
    const cli = await scene.replicate('app.db', 'backup', 'other.db', 'backup-other')
    app.commit(5)
    const result = await scene.run('stop', 'app.db')
    expect(result.stdout).toMatch(/stopped; everything up to here .*\n.*from now on is not backed up\n$/)
    await expectRestored('backup', app)
    const lease = SCHEMAS.lease.parse(await scene.json('lease', 'show', 'backup'))
    expect(lease.state).toBe('released')
    expect(await scene.json('stop', 'app.db')).toMatchObject({ outcome: 'already-stopped', state: 'stopped' })
    const sync = await scene.run('sync', 'app.db')
    expect(sync.status).toBe(EXIT.conflict)
    expect(sync.stderr).toMatch(/\(database-stopped\)\nhint: sqlstream start/)
    const status = SCHEMAS['status-live'].parse(await scene.json('status', '--live'))
    expect(status.states).toMatchObject({ open: 1, stopped: 1 })
    // Nobody looks at it: that is not "nothing is lacking".
    expect(status.list[0]).toMatchObject({ database: app.path, unreplicatedSince: expect.any(String) })

    app.commit(7)
    other.commit(2)
    expect(await scene.json('start', 'app.db')).toMatchObject({ outcome: 'started', state: 'open' })
    expect(await scene.json('start', 'app.db')).toMatchObject({ outcome: 'already-started' })
    await scene.json('sync', 'app.db')
    await scene.json('sync', 'other.db')
    await expectRestored('backup', app)
    await expectRestored('backup-other', other)
    cli.child.kill('SIGINT')
    expect((await cli.result).status).toBe(EXIT.ok)
  })

  test('a stop that cannot upload in time says what waits, with exit code 130', async () => {
    const app = scene.database('app.db')
    const cli = await scene.replicate('app.db', 'backup')
    await scene.json('sync', 'app.db')
    const heal = storeGone()
    app.commit()
    const result = await scene.run('stop', 'app.db', '--timeout', '200ms')
    expect(result.status).toBe(EXIT.interrupted)
    expect(result.stdout).toMatch(/1 file not uploaded, kept beside the database/)
    heal()
    expect((await scene.run('start', 'app.db')).status).toBe(EXIT.ok)
    await scene.json('sync', 'app.db')
    await expectRestored('backup', app)
    cli.child.kill('SIGTERM')
    expect((await cli.result).status).toBe(EXIT.ok)
  })

  test('a database that is fenced says so, and is taken up again when the operator says so', async () => {
    const app = scene.database('app.db')
    scene.database('other.db')
    await scene.replicate('app.db', 'backup', 'other.db', 'b', '--lease-ttl', '2s')
    await scene.json('sync', 'app.db')
    await scene.json('lease', 'steal', 'backup')
    let fenced = { status: 0, stderr: '' }
    // It goes on until it renews.
    while (!fenced.stderr.includes('(fenced)')) {
      app.commit()
      fenced = (await scene.run('sync', 'app.db')) as typeof fenced
    }
    expect(fenced.stderr).toMatch(/\(fenced\)\nhint: /)
    expect(fenced.status).toBe(EXIT.fenced)
    const status = SCHEMAS['status-live'].parse(await scene.json('status', '--live', 'app.db'))
    expect(status.list[0]).toMatchObject({ state: 'fenced', error: { code: 'fenced' } })
    expect(status.unreplicatedSince).toEqual(expect.any(String))
    expect(await scene.json('start', 'app.db')).toMatchObject({ outcome: 'started' })
    await scene.json('sync', 'app.db')
    await expectRestored('backup', app)
  })
})

describe('register and unregister', () => {
  test('a database for the life of the process, with the lines for a configuration file', async () => {
    const app = scene.database('app.db')
    const late = scene.database('late.db')
    const cli = await scene.replicate('app.db', 'backup')
    const result = SCHEMAS['control-change'].parse(await scene.json('register', 'late.db', 'backup-late'))
    expect(result).toMatchObject({ outcome: 'registered', database: late.path })
    writeFile(scene.folder, 'added.yml', result.configuration ?? '')
    expect(await scene.json('config', 'check', 'added.yml')).toMatchObject({ ok: true, databases: 1 })
    late.commit(4)
    await scene.json('sync', 'late.db')
    await expectRestored('backup-late', late)
    expect(await scene.json('register', 'late.db', 'backup-late')).toMatchObject({
      outcome: 'already-registered',
    })
    const again = await scene.run('register', 'late.db', 'elsewhere')
    expect(again.status).toBe(EXIT.conflict)
    const shared = await scene.run('register', 'third.db', 'backup-late')
    expect(shared.stderr).toMatch(/cannot share one replica/)

    expect(await scene.json('unregister', 'app.db')).toMatchObject({
      outcome: 'unregistered',
      pendingFiles: 0,
    })
    await expectRestored('backup', app)
    const gone = await scene.run('unregister', 'app.db')
    expect(gone.status).toBe(EXIT.notFound)
    expect(gone.stderr).toMatch(/\(unknown-database\)\nhint: /)
    late.commit(1)
    cli.child.kill('SIGINT')
    expect((await cli.result).status).toBe(EXIT.ok)
    await expectRestored('backup-late', late)
  })

  test('what cannot be replicated is not registered', async () => {
    scene.database('app.db')
    await scene.replicate('app.db', 'backup')
    const missing = await scene.run('register', 'none.db', 'b')
    expect(missing.status).toBe(EXIT.notFound)
    expect(missing.stderr).toMatch(/\(database-missing\)/)
    const scheme = await scene.run('register', 'none.db', 's4://b')
    expect(scheme.stderr).toMatch(/\(unknown-scheme\)\nhint: did you mean s3/)
    expect(SCHEMAS['status-live'].parse(await scene.json('status', '--live')).list).toHaveLength(1)
  })

  test('one that another writer holds is given up at the end of the time', async () => {
    scene.database('app.db')
    const held = scene.database('held.db')
    await scene.replicate('held.db', 'backup-held', '--socket', scene.socket)
    await scene.replicate('app.db', 'backup', '--wait')
    const copy = scene.database('copy.db')
    expect(copy.path).not.toBe(held.path)
    const result = await scene.run('register', 'copy.db', 'backup-held', '--timeout', '500ms')
    expect(result.stderr).toMatch(/\(timed-out\)/)
    expect(SCHEMAS['status-live'].parse(await scene.json('status', '--live')).list).toHaveLength(1)
  })
})

describe('a folder', () => {
  beforeEach(() => {
    scene.env['SQLSTREAM_SOCKET'] = 's.sock'
  })

  test('of 100 databases: one is synced, stopped and started, all are shown', {
    timeout: 300_000,
  }, async () => {
    mkdirSync(scene.folder.join('data/x'), { recursive: true })
    const apps = Array.from({ length: 100 }, (_, i) => scene.database(`data/${i % 2 ? 'x/' : ''}${i}.db`, 1))
    const cli = await scene.replicate(
      '--watch',
      'data',
      'backup/{relpath}',
      '--max-open',
      '20',
      '--socket',
      's.sock',
    )
    const app = apps[57] as App
    app.commit(3)
    await scene.json('sync', 'data/x/57.db', '--wait')
    await expectRestored('backup/x/57.db', app)
    expect(await scene.json('stop', 'data/x/57.db')).toMatchObject({ outcome: 'stopped', state: 'stopped' })
    app.commit(3)
    const status = SCHEMAS['status-live'].parse(await scene.json('status', '--live'))
    expect(status.list).toHaveLength(100)
    expect(status.states.stopped).toBe(1)
    expect((await scene.run('status', '--live')).stdout).toMatch(/: 100 databases, .*1 stopped.*\n/)
    const refused = await scene.run('unregister', 'data/x/57.db')
    expect(refused.stderr).toMatch(/\(member-of-folder\)/)
    expect((await scene.run('register', 'data/0.db', 'b')).status).toBe(EXIT.conflict)
    expect((await scene.run('sync', 'data/none.db')).status).toBe(EXIT.notFound)
    expect(await scene.json('start', 'data/x/57.db')).toMatchObject({ outcome: 'started' })
    await scene.json('sync', 'data/x/57.db')
    await expectRestored('backup/x/57.db', app)
    const asked = apps.slice(0, 30).map(({ path: database }) => {
      const body = JSON.stringify({ database, timeoutMs: 120_000 })
      return ask({ socketPath: scene.socket }, 'POST', '/v1/sync', body)
    })
    for (const { status } of await Promise.all(asked)) expect(status).toBe(200)
    cli.child.kill('SIGINT')
    expect((await cli.result).stderr).toBe('')
  })
})

describe('the socket', () => {
  test('is its owner’s alone, and gone with the process', async () => {
    scene.database('app.db')
    const cli = await scene.replicate('app.db', 'backup', '--socket', 's.sock')
    expect(lstatSync(scene.socket).mode & 0o777).toBe(0o600)
    expect(readdirSync(scene.folder.path).filter((name) => /^\.[0-9a-f]{8}$/.test(name))).toEqual([])
    cli.child.kill('SIGINT')
    expect((await cli.result).status).toBe(EXIT.ok)
    expect(existsSync(scene.socket)).toBe(false)
  })

  test('of a process that lives is refused to another one, before that touches a database', async () => {
    scene.database('app.db')
    scene.database('other.db')
    await scene.replicate('app.db', 'backup', '--socket', 's.sock')
    const second = await scene.run('replicate', 'other.db', 'b', '--socket', 's.sock')
    expect(second.stderr).toMatch(/^error: another process listens at .* \(socket-in-use\)\nhint: /)
    expect(second.status).toBe(EXIT.conflict)
    expect(existsSync(scene.folder.join('b'))).toBe(false)
    expect(await scene.json('sync', 'app.db', '--socket', 's.sock')).toMatchObject({ replica: 'backup' })
  })

  test('of one that was killed is replaced, by exactly one of several that come at once', async () => {
    const names = ['a.db', 'b.db', 'c.db', 'd.db']
    for (const name of names) scene.database(name)
    const killed = await scene.replicate('a.db', 'backup', '--socket', 's.sock')
    killed.child.kill('SIGKILL')
    await killed.result
    expect((await scene.run('sync', 'a.db', '--socket', 's.sock')).stderr).toMatch(/\(no-process\)/)
    const all = names.map((name) =>
      scene.start('replicate', name, `to-${name}`, '--json', '--socket', 's.sock'),
    )
    const outcomes = await Promise.all(
      all.map((cli) =>
        cli.line(/"to":"idle"/).then(
          () => 'listens',
          () => 'refused',
        ),
      ),
    )
    expect(outcomes.sort()).toEqual(['listens', 'refused', 'refused', 'refused'])
    const status = await scene.json('status', '--live', '--socket', 's.sock')
    expect(SCHEMAS['status-live'].parse(status).list).toHaveLength(1)
  })

  test('does not replace what is no socket, nor a path that is too long', async () => {
    scene.database('app.db')
    const file = writeFile(scene.folder, 's.sock', 'mine')
    const taken = await scene.run('replicate', 'app.db', 'b', '--socket', file)
    expect(taken.stderr).toMatch(/is no socket \(socket-in-use\)/)
    const long = await scene.run('replicate', 'app.db', 'b', '--socket', `${'x'.repeat(100)}/s.sock`)
    expect(long.stderr).toMatch(/longer than 103 bytes.* \(usage\)/)
  })

  test('comes from the configuration, or is never', async () => {
    const app = scene.database('app.db')
    const text = 'socket: run/s.sock\ndatabases:\n  - { path: app.db, url: backup }\n'
    writeFile(scene.folder, 'sqlstream.yml', text)
    mkdirSync(scene.folder.join('run'), { mode: 0o700 })
    expect(await scene.json('config', 'show')).toMatchObject({ socket: scene.folder.join('run/s.sock') })
    const cli = await scene.replicate()
    expect(await scene.json('sync', 'app.db')).toMatchObject({ database: app.path })
    cli.child.kill('SIGINT')
    await cli.result
    writeFile(scene.folder, 'sqlstream.yml', text.replace('run/s.sock', 'never'))
    await scene.replicate()
    expect((await scene.run('sync', 'app.db')).stderr).toMatch(/\(no-process\)\nhint: /)
  })

  test('of several processes: the one that has the database is asked, and else it must be named', async () => {
    scene.database('a.db')
    scene.database('b.db')
    await scene.replicate('a.db', 'to-a')
    const second = await scene.replicate('b.db', 'to-b')
    expect(await scene.json('sync', 'b.db')).toMatchObject({ replica: 'to-b' })
    const which = await scene.run('status', '--live')
    expect(which.stderr).toMatch(/\(several-processes\)\nhint: .*--socket/)
    expect(which.status).toBe(EXIT.usage)
    second.child.kill('SIGKILL')
    await second.result
    // What a dead process left is passed over.
    expect(await scene.json('sync', 'a.db')).toMatchObject({ replica: 'to-a' })
    // And removed by the next one.
    await scene.replicate('b.db', 'to-b')
    expect(readdirSync(scene.folder.join('run/sqlstream'))).toHaveLength(2)
  })

  test.runIf(process.getuid?.() === 0)('refuses another user', async () => {
    scene.database('app.db')
    await scene.replicate('app.db', 'backup', '--socket', 's.sock')
    const script = 'chmod 755 "$1" && shift && exec setpriv --reuid=65534 --regid=65534 --clear-groups "$@"'
    const words = [process.execPath, RUN, 'sync', 'app.db', '--socket', scene.socket]
    const result = await startProgram('sh', ['-c', script, 'sh', scene.folder.path, ...words]).result
    expect(result.stderr).toMatch(/\(EACCES\)\nhint: /)
    expect(result.status).toBe(EXIT.unavailable)
  })

  test.each<[string, string, string, string | undefined, number]>([
    ['an unknown path', 'GET', '/v2/info', undefined, 404],
    ['a wrong method', 'GET', '/v1/sync', undefined, 404],
    ['no JSON', 'POST', '/v1/sync', '{', 400],
    ['a relative path', 'POST', '/v1/sync', '{"database":"app.db"}', 400],
    ['an unknown key', 'POST', '/v1/stop', '{"database":"/a","force":true}', 400],
    ['an unknown database', 'POST', '/v1/stop', '{"database":"/a"}', 404],
    ['a body without end', 'POST', '/v1/stop', 'x'.repeat(100_000), 400],
    ['a path that is none', 'GET', '//', undefined, 404],
  ])('answers %s with an error, and goes on', async (_, method, path, body, status) => {
    scene.database('app.db')
    await scene.replicate('app.db', 'backup', '--socket', 's.sock')
    const answer = await ask({ socketPath: scene.socket }, method, path, body)
    expect(answer.status).toBe(status)
    expect(JSON.parse(answer.text)).toMatchObject({ error: { code: expect.any(String) } })
    const info = await ask({ socketPath: scene.socket }, 'GET', '/v1/info')
    expect(SCHEMAS['control-info'].parse(JSON.parse(info.text))).toMatchObject({ databases: 1 })
  })
})
