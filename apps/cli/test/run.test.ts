import { appendFileSync, cpSync, existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { ask } from './support/control-scene.ts'
import { FaultyFolder } from './support/faulty-driver.ts'
import type { CLIProcess } from './support/run-cli.ts'
import { RunScene } from './support/run-scene.ts'
import { writeFile } from './support/write-file.ts'

let scene: RunScene

beforeEach(() => {
  scene = new RunScene()
})

afterEach(async () => {
  await scene[Symbol.asyncDispose]()
})

/** What /healthz of a run says. */
async function health(run: CLIProcess): Promise<[number, unknown]> {
  const [, port] = /metrics at http:\/\/127\.0\.0\.1:(\d+)/.exec(await run.errorLine(/metrics at/)) ?? []
  const { status, text } = await ask({ port: Number(port) }, 'GET', '/healthz')
  return [status, JSON.parse(text)]
}

describe('T52: before the application starts', () => {
  test('a missing database is restored whole, and the application sees all of it', async () => {
    await scene.backUp(30)
    const { status, stdout, stderr } = await scene.run([], { commits: 5, exit: 0 }).result
    expect(stdout).toBe('rows 30\ncommitted 35\n')
    expect(status).toBe(EXIT.ok)
    expect(stderr).toMatch(/^sqlstream: .*app\.db: is missing; restoring it from/)
    expect(stderr).toMatch(/restored at TXID [0-9a-f]{16},.*[\s\S]*is ours to write[\s\S]* started \(pid/)
    expect(await scene.backedUpRows()).toBe(35)
  })

  test('a store that holds a file back keeps it from starting, and /healthz says so', async () => {
    const store = new FaultyFolder(scene.folder)
    await scene.backUp(30)
    store.begin('hold-reads')
    const words = ['run', scene.database, store.url('backup'), '--metrics', '0', '--', ...scene.application()]
    const run = scene.start(...words)
    await expect.poll(() => store.isMet('hold-reads')).toBe(true)
    expect(await health(run)).toMatchObject([503, { status: 'restoring' }])
    expect(scene.isThere).toBe(false)
    store.end('hold-reads')
    expect(await run.line(/^rows/)).toBe('rows 30')
    await expect.poll(() => health(run)).toMatchObject([200, { status: 'ok', databases: 1 }])
    run.child.kill('SIGTERM')
    const { status, stdout } = await run.result
    // Nothing of the application came before.
    expect(stdout).toBe('rows 30\ncommitted 30\nserving\ngot SIGTERM\n')
    expect(status).toBe(EXIT.ok)
  })

  test.each(['SIGTERM', 'SIGINT', 'SIGHUP'] as const)(
    '%s while it restores ends it, and nothing is left under the name of the database',
    async (signal) => {
      const store = new FaultyFolder(scene.folder)
      await scene.backUp(3)
      store.begin('hold-reads')
      const run = scene.start('run', scene.database, store.url('backup'), '--', ...scene.application())
      await expect.poll(() => store.isMet('hold-reads')).toBe(true)
      run.child.kill(signal)
      const { status, stdout, stderr } = await run.result
      expect([status, stdout]).toEqual([EXIT.interrupted, ''])
      expect(stderr).toMatch(new RegExp(`stopped by ${signal} \\(interrupted\\)`))
      expect(scene.isThere).toBe(false)
    },
  )

  test('of a damaged replica nothing is started, and nothing is left under the name of the database', async () => {
    await scene.backUp(30)
    const [name = ''] = readdirSync(`${scene.backup}/ltx/9`)
    const file = `${scene.backup}/ltx/9/${name}`
    const bytes = readFileSync(file)
    const middle = Math.floor(bytes.length / 2)
    bytes[middle] = (bytes[middle] ?? 0) ^ 1
    writeFileSync(file, bytes)
    const { status, stdout, stderr } = await scene.run([]).result
    expect([status, stdout]).toEqual([EXIT.corrupt, ''])
    expect(stderr).toMatch(/^error: .*\nhint: /m)
    expect(scene.isThere).toBe(false)
  })

  test('several databases: one that cannot be restored keeps the application from starting', async () => {
    await scene.backUp(3)
    writeFile(scene.folder, 'sick/ltx/9/0000000000000001-0000000000000001.ltx', 'no LTX file')
    const pairs = [scene.database, scene.backup, scene.folder.join('b.db'), scene.folder.join('sick')]
    const { status, stdout } = await scene.cli('run', ...pairs, '--', ...scene.application())
    expect([status, stdout]).toEqual([EXIT.corrupt, ''])
  })

  test('T53: an answer that is no listing is never taken for "no backup"', async () => {
    await using s3 = await FakeS3.start()
    const query = `endpoint=${encodeURIComponent(s3.url)}&region=eu-west-1&forcePathStyle=true`
    Object.assign(scene.env, { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b', AWS_MAX_ATTEMPTS: '1' })
    for (const [status, code] of [
      [403, 'AccessDenied'],
      [500, 'InternalError'],
    ] as const) {
      const plan = s3.plan([{ request: 'ListObjectsV2', fault: { kind: 'refuse', status, code } }])
      const run = await scene.cli(
        'run',
        scene.database,
        `s3://bucket/app?${query}`,
        '--',
        ...scene.application(),
      )
      expect([run.status, run.stdout]).toEqual([EXIT.unavailable, ''])
      expect(plan.fired).toBeGreaterThan(0)
      expect(scene.isThere).toBe(false)
    }
  })

  test('T53: a listing that is refused or does not come keeps it from starting', async () => {
    const store = new FaultyFolder(scene.folder)
    store.begin('refuse-lists')
    const words = ['run', scene.database, store.url('backup'), '--', ...scene.application()]
    const refused = await scene.cli(...words)
    expect([refused.status, refused.stdout]).toEqual([EXIT.unavailable, ''])
    store.end('refuse-lists')
    store.begin('hold-lists')
    const run = scene.start(...words)
    await expect.poll(() => store.isMet('hold-lists')).toBe(true)
    run.child.kill('SIGINT')
    expect(await run.result).toMatchObject({ status: EXIT.interrupted, stdout: '' })
  })

  test('a place that cannot be written keeps it from starting, also where there is no backup', async () => {
    const store = new FaultyFolder(scene.folder)
    store.begin('refuse-writes')
    const words = ['run', scene.database, store.url('backup'), '--', ...scene.application()]
    expect(await scene.cli(...words)).toMatchObject({ status: EXIT.unavailable, stdout: '' })
  })

  test('a database that is there is used as it is', async () => {
    await scene.run([], { commits: 10, exit: 0 }).result
    const { status, stdout, stderr } = await scene.run([], { commits: 10, exit: 0 }).result
    expect([status, stdout]).toEqual([EXIT.ok, 'rows 10\ncommitted 20\n'])
    expect(stderr).not.toMatch(/restor/)
  })

  test('an old copy that was put back is refused, as replicate does it', async () => {
    await scene.run([], { commits: 10, exit: 0 }).result
    const files = ['app.db', 'app.db-wal', '.app.db-sqlstream'].filter((name) =>
      existsSync(scene.folder.join(name)),
    )
    for (const name of files)
      cpSync(scene.folder.join(name), scene.folder.join('kept', name), { recursive: true })
    await scene.run([], { commits: 10, exit: 0 }).result
    for (const suffix of ['', '-wal', '-shm']) rmSync(scene.database + suffix, { force: true })
    rmSync(scene.folder.join('.app.db-sqlstream'), { recursive: true })
    cpSync(scene.folder.join('kept'), scene.folder.path, { recursive: true })
    const { status, stdout, stderr } = await scene.run([]).result
    expect([status, stdout]).toEqual([EXIT.conflict, ''])
    expect(stderr).toMatch(/\(behind\)\nhint: .*--on-behind snapshot/)
  })

  test('local state is where it was said to be, also of a restored database', async () => {
    await scene.backUp(3)
    const run = await scene.run(['--state-dir', scene.folder.join('state')], { exit: 0 }).result
    expect([run.status, run.stdout]).toEqual([EXIT.ok, 'rows 3\ncommitted 3\n'])
    expect(run.stderr).not.toMatch(/snapshot/)
    expect(existsSync(scene.folder.join('.app.db-sqlstream'))).toBe(false)
  })
})

describe('T52: where there is no backup', () => {
  test('the application makes its database, which is replicated from then on and can be restored', async () => {
    // Of a database that was there once: nothing of it may get into the new one.
    writeFile(scene.folder, 'app.db-wal', 'what a former database has left')
    const run = scene.run(['--sync-interval', '20ms', '--metrics', '0'], { commits: 3 })
    expect(await run.line(/^rows/)).toBe('rows 0')
    await run.errorLine(/there is no backup at/)
    await run.errorLine(/app\.db: replicating to/)
    await run.errorLine(/snapshot .* uploaded/)
    await run.line(/^serving$/)
    await expect.poll(() => health(run)).toMatchObject([200, { status: 'ok', databases: 1 }])
    run.child.kill('SIGUSR2')
    await run.line(/^committed 4$/)
    await expect.poll(() => scene.backedUpRows()).toBe(4)
    run.child.kill('SIGTERM')
    expect((await run.result).status).toBe(EXIT.ok)
    expect(await scene.backedUpRows()).toBe(4)
  })

  test('one that ends at once has its database uploaded all the same', async () => {
    const { status } = await scene.run([], { commits: 7, exit: 0 }).result
    expect(status).toBe(EXIT.ok)
    expect(await scene.backedUpRows()).toBe(7)
  })

  test('one that ends before anything was written leaves nothing to upload', async () => {
    const words = ['run', scene.database, scene.backup, '--', 'sh', '-c', 'exit 5']
    const { status, stderr } = await scene.cli(...words)
    expect(status).toBe(5)
    expect(stderr).not.toMatch(/error|warning/)
    expect(scene.isThere).toBe(false)
  })

  test('an empty file is a database that is missing', async () => {
    writeFile(scene.folder, 'app.db', '')
    const { status } = await scene.run([], { commits: 2, exit: 0 }).result
    expect(status).toBe(EXIT.ok)
    expect(await scene.backedUpRows()).toBe(2)
    await scene.backUp(9, scene.folder.join('other'))
    writeFile(scene.folder, 'b.db', '')
    const b = scene.folder.join('b.db')
    const command = scene.application({ database: b, exit: 0 })
    expect(await scene.cli('run', b, scene.folder.join('other'), '--', ...command)).toMatchObject({
      status: EXIT.ok,
      stdout: 'rows 9\ncommitted 9\n',
    })
  })

  test('a database without a WAL is told of at once, and is an error at the end', async () => {
    const run = scene.run([], { commits: 1, wal: false })
    await run.errorLine(/nothing of it is backed up yet: .* is not in WAL mode \(not-wal-mode\)/)
    run.child.kill('SIGTERM')
    const { status, stderr } = await run.result
    expect(stderr).toMatch(/error: not everything .*app\.db \(not-wal-mode: .*\(not-uploaded\)/)
    expect(status).toBe(EXIT.unavailable)
  })
})

describe('the end', () => {
  test('T38: child exits first with code 3: its code is ours, and everything is uploaded', async () => {
    await scene.backUp(1)
    const { status, stderr } = await scene.run([], { commits: 50, exit: 3 }).result
    expect(status).toBe(3)
    expect(stderr).toMatch(/ended with exit code 3/)
    expect(await scene.backedUpRows()).toBe(51)
  })

  test.each(['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const)(
    '%s is handed on, once, and means what the application takes it for',
    async (signal) => {
      const run = scene.run([])
      await run.line(/^serving$/)
      run.child.kill(signal)
      await run.line(new RegExp(`^got ${signal}$`))
      run.child.kill('SIGTERM')
      const { status, stdout } = await run.result
      expect(stdout).toBe(`rows 0\ncommitted 0\nserving\ngot ${signal}\ngot SIGTERM\n`)
      expect(status).toBe(EXIT.ok)
    },
  )

  test('T38: what is committed right before the end is uploaded after it', async () => {
    const run = scene.run(['--sync-interval', '1h'])
    await run.line(/^serving$/)
    for (let n = 1; n <= 5; n++) {
      run.child.kill('SIGUSR2')
      await run.line(new RegExp(`^committed ${n}$`))
    }
    run.child.kill('SIGTERM')
    expect((await run.result).status).toBe(EXIT.ok)
    expect(await scene.backedUpRows()).toBe(5)
  })

  test('T38: one that was killed has the exit code that a shell would give, and loses nothing', async () => {
    const run = scene.run([], { commits: 4 })
    await run.line(/^serving$/)
    const [, pid] = /started \(pid (\d+)\)/.exec(await run.errorLine(/started/)) ?? []
    process.kill(Number(pid), 'SIGKILL')
    const { status, stderr } = await run.result
    expect(status).toBe(137)
    expect(stderr).toMatch(/ended by SIGKILL/)
    expect(await scene.backedUpRows()).toBe(4)
  })

  test('T38: it ended well while the store is away: the exit code and the message say what is not safe', async () => {
    const store = new FaultyFolder(scene.folder)
    const words = ['run', scene.database, store.url('backup'), '--drain-timeout', '300ms']
    const run = scene.start(...words, '--', ...scene.application({ commits: 2 }))
    await run.errorLine(/snapshot .* uploaded/)
    await run.line(/^serving$/)
    store.begin('refuse-writes')
    run.child.kill('SIGUSR2')
    await run.line(/^committed 3$/)
    run.child.kill('SIGTERM')
    const { status, stderr } = await run.result
    expect(status).toBe(EXIT.unavailable)
    expect(stderr).toMatch(
      /^error: not everything that the application committed is in the replica of .*app\.db \(unavailable: .*refused by the test.*\(not-uploaded\)\nhint: /m,
    )
    expect(stderr).toMatch(/1 file not uploaded, kept beside the database/)
    store.end('refuse-writes')
    // The next start uploads it.
    expect((await scene.run([], { exit: 0 }).result).status).toBe(EXIT.ok)
    expect(await scene.backedUpRows()).toBe(3)
  })

  test('T38: a code of its own stays, and what is not safe is told', async () => {
    const store = new FaultyFolder(scene.folder)
    const words = ['run', scene.database, store.url('backup'), '--drain-timeout', '300ms', '--json']
    const run = scene.start(...words, '--', ...scene.application({ commits: 2 }))
    await run.errorLine(/"type":"snapshotted"/)
    await run.line(/^serving$/)
    store.begin('refuse-writes')
    run.child.kill('SIGUSR2')
    await run.line(/^committed 3$/)
    const started = JSON.parse(await run.errorLine(/"state":"started"/)) as { pid: number }
    process.kill(started.pid, 'SIGKILL')
    const { status, stderr } = await run.result
    expect(status).toBe(137)
    expect(JSON.parse(stderr.trim().split('\n').at(-1) ?? '')).toMatchObject({
      error: { code: 'not-uploaded' },
    })
  })

  test('T38: while it uploads, a second SIGTERM ends it at once', async () => {
    const store = new FaultyFolder(scene.folder)
    const run = scene.start('run', scene.database, store.url('backup'), '--', ...scene.application())
    await run.errorLine(/snapshot .* uploaded/)
    await run.line(/^serving$/)
    store.begin('refuse-writes')
    run.child.kill('SIGUSR2')
    await run.line(/^committed 1$/)
    run.child.kill('SIGTERM')
    await run.errorLine(/ended with exit code 0/)
    run.child.kill('SIGTERM')
    expect((await run.result).status).toBe(EXIT.interrupted)
  })

  test('a program that is not there is told before anything is restored', async () => {
    await scene.backUp(1)
    for (const [program, message] of [
      ['no-such-program', 'there is no program no-such-program'],
      ['./no-such-program', 'there is no program'],
      [scene.backup, 'there is no program'],
    ] as const) {
      const run = await scene.cli('run', scene.database, scene.backup, '--', program)
      expect(run.status).toBe(EXIT.usage)
      expect(run.stderr).toContain(`error: ${message}`)
      expect(run.stderr).toContain('(command-not-found)')
    }
    appendFileSync(scene.folder.join('text'), 'no program')
    const text = await scene.cli('run', scene.database, scene.backup, '--', './text')
    expect(text.stderr).toMatch(/\.\/text must not be executed \(command-not-found\)\nhint: /)
    expect(scene.isThere).toBe(false)
  })

  test('whoever has read its lines may go: the application and its backup go on', async () => {
    const run = scene.run(['--sync-interval', '20ms', '--json'])
    await run.errorLine(/"type":"snapshotted"/)
    await run.line(/^serving$/)
    run.child.stderr?.destroy()
    for (let n = 1; n <= 3; n++) {
      run.child.kill('SIGUSR2')
      await run.line(new RegExp(`^committed ${n}$`))
    }
    await expect.poll(() => scene.backedUpRows()).toBe(3)
    run.child.kill('SIGTERM')
    expect((await run.result).status).toBe(EXIT.ok)
  })

  test('one that has not come and is stopped by an operator is waited for no more', async () => {
    const script = 'while [ ! -e go ]; do sleep 0.02; done; exec "$0" "$@"'
    const application = scene.application({ commits: 1 })
    const run = scene.start('run', scene.database, scene.backup, '--', 'sh', '-c', script, ...application)
    await run.errorLine(/started/)
    const sync = await scene.cli('sync', scene.database)
    expect(sync.status).toBe(EXIT.notFound)
    expect(sync.stderr).toMatch(/no database in WAL mode/)
    expect((await scene.cli('stop', scene.database)).status).toBe(EXIT.ok)
    writeFile(scene.folder, 'go', '')
    await run.line(/^serving$/)
    run.child.kill('SIGTERM')
    const { status, stderr } = await run.result
    expect(status).toBe(EXIT.ok)
    expect(stderr).not.toMatch(/replicating to/)
  })

  test('killed itself, it leaves the application running, and the next start has all that was committed', async () => {
    const run = scene.run([], { commits: 2 })
    const [, pid] = /started \(pid (\d+)\)/.exec(await run.errorLine(/started/)) ?? []
    await run.line(/^serving$/)
    run.child.kill('SIGKILL')
    await new Promise((resolve) => run.child.once('exit', resolve))
    process.kill(Number(pid), 'SIGUSR2')
    await run.line(/^committed 3$/)
    process.kill(Number(pid), 'SIGTERM')
    await run.result
    expect((await scene.run([], { exit: 0 }).result).stdout).toBe('rows 3\ncommitted 3\n')
    expect(await scene.backedUpRows()).toBe(3)
  })
})
