import { existsSync, readdirSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { TempFolder } from '@sqlstream/testkit'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { type CLIResult, runCLI, startCLI } from './support/run-cli.ts'
import { writeFile } from './support/write-file.ts'

let folder: TempFolder

beforeEach(() => {
  folder = new TempFolder('config')
})

afterEach(() => {
  folder.remove()
})

/** A run in the folder. */
function run(args: readonly string[], env: Record<string, string> = {}): Promise<CLIResult> {
  return runCLI(args, { cwd: folder.path, env })
}

const write = (name: string, text: string): string => writeFile(folder, name, text)

const DRIVER = `
import { MemoryStore } from ${JSON.stringify(import.meta.resolve('@sqlstream/storage'))}
export default { name: 'foo', schemes: ['foo'], open: async () => new MemoryStore() }
`

describe('config check', () => {
  test('of a right file says so', async () => {
    write('sqlstream.yml', 'databases: [{ path: app.db, url: backup }, { path: b.db, url: file:///b }]\n')
    expect(await run(['config', 'check'])).toEqual({
      status: 0,
      stdout: 'sqlstream.yml (sqlstream): right: 2 databases\n',
      stderr: '',
    })
  })

  test('lists everything that is wrong, with lines', async () => {
    const file = write(
      'own.yml',
      'databases:\n  - path: a.db\n    url: b\n    syncInterval: 5\n    sole: 1\n',
    )
    const { status, stdout } = await run(['config', 'check', 'own.yml'])
    expect(status).toBe(EXIT.usage)
    expect(stdout).toBe(
      [
        'error: own.yml:4: databases[0].syncInterval expected a duration such as 500ms, 1s or 2m',
        'error: own.yml:5: databases[0].sole is no key that is known here; did you mean store?',
        'own.yml (sqlstream): 2 errors\n',
      ].join('\n'),
    )
    const json = await run(['config', 'check', '--config', file, '--json'])
    expect(json.status).toBe(EXIT.usage)
    expect(SCHEMAS['config-check'].parse(JSON.parse(json.stdout))).toMatchObject({
      file,
      format: 'sqlstream',
      ok: false,
      problems: [{ line: 4, key: 'databases[0].syncInterval' }, { line: 5 }],
      warnings: [],
    })
  })

  test.each([
    [
      'a driver that is missing',
      'drivers: [sqlstream-driver-none]\ndatabases: [{ path: a, url: b }]\n',
      /sqlstream-driver-none is not installed; npm install/,
    ],
    [
      'a URL without a driver',
      'databases: [{ path: a, url: fiel:///b }]\n',
      /no storage driver for fiel:\/\/ URLs; did you mean file:\/\/\?/,
    ],
    [
      'two databases with one replica',
      'databases: [{ path: a, url: b }, { path: c, url: b }]\n',
      /cannot share one replica/,
    ],
    [
      'two databases with one folder for state',
      'databases: [{ path: a, url: b, stateDir: s }, { path: c, url: d, stateDir: s }]\n',
      /cannot share one folder/,
    ],
    ['no database', 'databases: []\n', /has no databases/],
  ])('finds %s', async (_, text, message) => {
    write('sqlstream.yml', text)
    const { status, stdout } = await run(['config', 'check'])
    expect(status).toBe(EXIT.usage)
    expect(stdout).toMatch(message)
  })

  test('of a file of Litestream lists what is not heeded', async () => {
    write('litestream.yml', 'addr: 1\ndbs: [{ path: a.db, replica: { path: /b } }]\n')
    const { status, stdout } = await run(['config', 'check', 'litestream.yml'])
    expect(status).toBe(0)
    expect(stdout).toMatch(
      /^warning: litestream.yml:1: addr is not heeded; .*\nlitestream.yml \(litestream\): right: 1 database\n$/,
    )
  })

  test('without any file names the places', async () => {
    const { status, stderr } = await run(['config', 'check'])
    expect(status).toBe(EXIT.notFound)
    expect(stderr).toMatch(/\(file-missing\)\nhint: .*sqlstream.yml, .*\/etc\/sqlstream.yml/)
    expect((await run(['config', 'check', 'none.yml'])).stderr).toMatch(
      /no configuration file none.yml \(file-missing\)/,
    )
  })
})

describe('config show', () => {
  test('shows what is meant, and no credential', async () => {
    const secret = 'hunter2'
    write(
      'sqlstream.yml',
      [
        'databases:',
        '  - path: app.db',
        `    url: file:///backups?token=$\{TOKEN}`,
        '    syncInterval: 2s',
        '    onBehind: snapshot',
        '    lease: { ttl: 30s, soleWriter: true }',
        `    env: { AWS_SECRET_ACCESS_KEY: "$\{TOKEN}" }`,
        '',
      ].join('\n'),
    )
    const text = await run(['config', 'show'], { TOKEN: secret })
    expect(text.stdout).toBe(
      `sqlstream.yml (sqlstream)\n  ${folder.join('app.db')} -> file:///backups?token=***\n    sync interval 2.0 s\n    on behind: snapshot\n    lease of 30.0 s\n    sole writer\n    AWS_SECRET_ACCESS_KEY=***\n`,
    )
    const json = await run(['config', 'show', '--json'], { TOKEN: secret })
    expect(SCHEMAS['config-show'].parse(JSON.parse(json.stdout)).databases).toEqual([
      {
        path: folder.join('app.db'),
        url: 'file:///backups?token=***',
        syncIntervalMs: 2000,
        onBehind: 'snapshot',
        lease: { ttlMs: 30_000, soleWriter: true },
        environment: { AWS_SECRET_ACCESS_KEY: '***' },
      },
    ])
    expect(`${text.stderr}${json.stdout}${json.stderr}`).not.toContain(secret)
  })

  test('shows levels, snapshots and retention', async () => {
    write(
      'sqlstream.yml',
      [
        'levels: [30s, 1m]',
        'verify: { budget: 1.5GB }',
        'databases:',
        '  - path: a.db',
        '    url: /a',
        '    snapshots: { growth: 2, maxAge: 7d }',
        '    retention: { keep: [{ every: capture, for: 1h }, { every: 1m, for: forever }], grace: 90m }',
        '  - { path: b.db, url: /b, levels: never, retention: never, verify: never }',
        '  - { path: c.db, url: /c, snapshots: never, verify: { every: 7d, budget: 2GiB } }',
      ].join('\n'),
    )
    const { stdout } = await run(['config', 'show'])
    expect(stdout.split('\n').slice(1)).toEqual([
      `  ${folder.join('a.db')} -> /a`,
      '    levels of 30s, 1m',
      '    a snapshot when the increments are 2 times its size, or the last one is 7d old',
      '    kept: every capture for 1h, each 1m for ever, 2 snapshots at any age; grace of 90m',
      '    proven restorable every 1d, at most 1500MB read in 24 hours',
      `  ${folder.join('b.db')} -> /b`,
      '    nothing is merged',
      '    nothing is removed',
      '    proven restorable only by hand',
      `  ${folder.join('c.db')} -> /c`,
      '    levels of 30s, 1m',
      '    snapshots only by hand',
      '    proven restorable every 7d, at most 2GiB read in 24 hours',
      '',
    ])
    const json = SCHEMAS['config-show'].parse(JSON.parse((await run(['config', 'show', '--json'])).stdout))
    expect(json.databases).toMatchObject([
      {
        levelsMs: [30_000, 60_000],
        snapshots: { growth: 2, maxAgeMs: 604_800_000 },
        retention: {
          keep: [{ every: 'capture', forMs: 3_600_000 }, { everyMs: 60_000 }],
          graceMs: 5_400_000,
          minSnapshots: 2,
        },
        verify: { everyMs: 86_400_000, bytesPerDay: 1_500_000_000 },
      },
      { levelsMs: 'never', retention: 'never', verify: 'never' },
      { levelsMs: [30_000, 60_000], snapshots: 'never', verify: { bytesPerDay: 2_147_483_648 } },
    ])
  })

  test('of a wrong file is the error of that file', async () => {
    write('sqlstream.yml', 'databases: [{ path: a, url: b, x: 1 }]\n')
    const { status, stderr } = await run(['config', 'show'])
    expect(status).toBe(EXIT.usage)
    expect(stderr).toMatch(
      /^error: sqlstream.yml:1: databases\[0\]\.x is no key .* \(bad-config\)\nhint: known here: /,
    )
  })
})

describe('replicate without arguments', () => {
  test('replicates the databases of the configuration', async () => {
    using one = new App(folder.join('one.db'))
    using two = new App(folder.join('two.db'))
    one.commit(3)
    two.commit(4)
    write(
      'sqlstream.yml',
      'databases:\n  - { path: one.db, url: backup/one }\n  - { path: two.db, url: backup/two, stateDir: state }\n',
    )
    expect(await run(['replicate', '--once'])).toMatchObject({ status: 0, stderr: '' })
    for (const app of [one, two]) {
      const name = app === one ? 'one' : 'two'
      await run(['restore', `backup/${name}`, '-o', `${name}-copy.db`])
      expect(contents(folder.join(`${name}-copy.db`))).toEqual(contents(app.path))
    }
    expect(existsSync(folder.join('state'))).toBe(true)
    expect(existsSync(folder.join('.two.db-sqlstream'))).toBe(false)
  })

  test('takes a file of Litestream, and tells what it does not heed as an event', async () => {
    using app = new App(folder.join('app.db'))
    app.commit(3)
    write(
      'litestream.yml',
      'addr: ":9090"\ndbs:\n  - path: app.db\n    replica: { type: file, path: $WHERE, sync-interval: 100ms }\n',
    )
    const { status, stdout } = await run(['replicate', '--config', 'litestream.yml', '--once', '--json'], {
      WHERE: 'backup',
    })
    expect(status).toBe(0)
    const events = stdout
      .trim()
      .split('\n')
      .map((line) => SCHEMAS['replicate-event'].parse(JSON.parse(line)))
    expect(events[0]).toMatchObject({
      type: 'config-warning',
      file: 'litestream.yml',
      line: 1,
      key: 'addr',
    })
    expect(events.at(-1)).toMatchObject({ type: 'stopped', pendingFiles: 0 })
    const human = await run(['replicate', '--config', 'litestream.yml', '--once'], { WHERE: 'backup' })
    expect(human.stdout).toMatch(/^warning: litestream.yml:1: addr is not heeded; /)
  })

  test('hands the keys of a file of Litestream to S3, each database its own', async () => {
    const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'right-canary' }
    await using s3 = await FakeS3.start({ credentials })
    using app = new App(folder.join('app.db'))
    app.commit(3)
    const { accessKeyId, secretAccessKey } = credentials
    const file = (secret: string): string => `
dbs:
  - path: app.db
    replica:
      type: s3
      bucket: bucket
      path: backups/app
      endpoint: ${s3.url}
      force-path-style: true
      access-key-id: ${accessKeyId}
      secret-access-key: ${secret}
`
    write('litestream.yml', file(secretAccessKey))
    // Keys of the process are others.
    const env = { AWS_ACCESS_KEY_ID: 'other', AWS_SECRET_ACCESS_KEY: 'other-canary' }
    const right = await run(['replicate', '--config', 'litestream.yml', '--once'], env)
    expect(right).toMatchObject({ status: 0, stderr: '' })
    expect([...s3.bucket('bucket').objects.keys()]).toContainEqual(
      expect.stringMatching(/^backups\/app\/0009\/.*\.ltx$/),
    )
    write('litestream.yml', file('wrong-canary'))
    const wrong = await run(['replicate', '--config', 'litestream.yml', '--once'], env)
    expect(wrong).toMatchObject({
      status: EXIT.unavailable,
      stderr: expect.stringContaining('(permission-denied)'),
    })
    for (const { stdout, stderr } of [right, wrong]) {
      expect(stdout + stderr).not.toMatch(/canary/)
    }
  })

  test('merges and removes as the file says, and not at all with the flags', async () => {
    using app = new App(folder.join('app.db'))
    write(
      'sqlstream.yml',
      'databases: [{ path: app.db, url: backup, syncInterval: 20ms, levels: [100ms] }]\n',
    )
    const levels = (): string[] => readdirSync(folder.join('backup/ltx'))
    const writeUntil = async (args: string[], done: () => boolean): Promise<void> => {
      const writer = startCLI(['replicate', ...args], { cwd: folder.path })
      await writer.line(/replicating to/)
      for (let i = 0; i < 400 && !done(); i++) {
        app.commit(1)
        await sleep(25)
      }
      writer.child.kill('SIGINT')
      expect((await writer.result).status).toBe(0)
    }
    let commits = 0
    await writeUntil(['--no-compaction', '--no-retention'], () => ++commits > 40)
    expect(levels()).not.toContain('1')
    await writeUntil([], () => levels().includes('1'))
    expect(levels()).toContain('1')
  })

  test('flags go before the file', async () => {
    using app = new App(folder.join('app.db'))
    app.commit(3)
    write('sqlstream.yml', 'databases: [{ path: app.db, url: backup, stateDir: theirs }]\n')
    expect((await run(['replicate', '--once', '--state-dir', 'ours'])).status).toBe(0)
    expect([existsSync(folder.join('ours')), existsSync(folder.join('theirs'))]).toEqual([true, false])
  })

  test('refuses a wrong file before it starts anything', async () => {
    using app = new App(folder.join('app.db'))
    app.commit(3)
    for (const second of [
      '{ path: none.db, url: flie:///x }',
      '{ path: none.db, url: backup }',
      '{ pat: none.db }',
    ]) {
      write('sqlstream.yml', `databases: [{ path: app.db, url: backup }, ${second}]\n`)
      const { status, stderr } = await run(['replicate'])
      expect(status).toBe(EXIT.usage)
      expect(stderr).toMatch(/^error: [^\n]+\nhint: [^\n]+\n$/)
      expect(existsSync(folder.join('backup'))).toBe(false)
    }
  })

  test('and without a file says what to do', async () => {
    const { status, stderr } = await run(['replicate'])
    expect(status).toBe(EXIT.usage)
    expect(stderr).toMatch(
      /nothing to replicate.*\(usage\)\nhint: sqlstream replicate <db> <url>, or write a sqlstream.yml/,
    )
  })

  test('runs until it is stopped', async () => {
    using app = new App(folder.join('app.db'))
    app.commit(1)
    write('sqlstream.yml', 'databases: [{ path: app.db, url: backup, syncInterval: 20ms }]\n')
    const running = startCLI(['replicate', '--json'], { cwd: folder.path })
    await running.line(/"snapshotted"/)
    app.commit(1)
    await running.line(/"uploaded"/)
    running.child.kill('SIGTERM')
    expect((await running.result).status).toBe(0)
  })
})

describe('drivers of the configuration', () => {
  beforeEach(() => {
    write('node_modules/sqlstream-driver-foo/package.json', '{ "type": "module", "exports": "./index.js" }')
    write('node_modules/sqlstream-driver-foo/index.js', DRIVER)
    write('sqlstream.yml', 'drivers: [sqlstream-driver-foo]\ndatabases: [{ path: app.db, url: "foo://x" }]\n')
  })

  test.each([
    ['ltx', 'list', 'foo://x'],
    ['verify', 'foo://x'],
    ['restore', 'foo://x', '-o', 'x.db'],
    ['ltx', 'show', 'foo://x', '0/0000000000000001-0000000000000001.ltx'],
    ['ltx', 'dump', 'foo://x', '0/0000000000000001-0000000000000001.ltx'],
  ])('serve %s %s', async (...command) => {
    const { status, stderr } = await run(command)
    expect(stderr).toMatch(/\((no-backup|file-missing)\)/)
    expect(status).toBe(EXIT.notFound)
  })

  test('serve replicate, by file and by arguments', async () => {
    using app = new App(folder.join('app.db'))
    app.commit(2)
    for (const words of [[], ['app.db', 'foo://y'], ['app.db', 'foo://z', '--config', 'sqlstream.yml']]) {
      const { status, stdout } = await run([
        'replicate',
        ...words,
        '--once',
        '--state-dir',
        `s${words.length}`,
      ])
      expect(stdout).toMatch(/stopped; everything is in the replica/)
      expect(status).toBe(0)
    }
  })

  test('of another configuration do not serve', async () => {
    const { stderr } = await run(['verify', 'foo://x', '--config', write('empty.yml', 'databases: []\n')])
    expect(stderr).toContain('(unknown-scheme)')
  })

  test('named by SQLSTREAM_CONFIG are found from anywhere', async () => {
    const elsewhere = new TempFolder('elsewhere')
    const env = { SQLSTREAM_CONFIG: folder.join('sqlstream.yml') }
    const { stderr } = await runCLI(['verify', 'foo://x'], { cwd: elsewhere.path, env })
    elsewhere.remove()
    expect(stderr).toContain('(no-backup)')
  })

  test('that claim a built-in scheme are refused', async () => {
    write('node_modules/sqlstream-driver-foo/index.js', DRIVER.replace(`['foo']`, `['file', 'foo']`))
    for (const command of [
      ['replicate', '--once'],
      ['verify', 'foo://x'],
    ]) {
      const { status, stderr } = await run(command)
      expect(stderr).toContain(
        'sqlstream-driver-foo and sqlstream itself are both drivers for file:// URLs (driver-conflict)',
      )
      expect(status).toBe(EXIT.usage)
    }
  })
})
