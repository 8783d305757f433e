import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { type EventJSON, SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { type CLIResult, runCLI, startCLI, startProgram } from './support/run-cli.ts'
import { writeFile } from './support/write-file.ts'

let folder: TempFolder
let apps: App[]

beforeEach(() => {
  folder = new TempFolder('watch')
  mkdirSync(folder.join('data/x'), { recursive: true })
  apps = []
})

afterEach(() => {
  for (const app of apps) app[Symbol.dispose]()
  folder.remove()
})

/** A database of an application, with so many rows. */
function database(relpath: string, rows = 3): App {
  const app = new App(folder.join(`data/${relpath}`))
  apps.push(app)
  app.commit(rows)
  return app
}

function watch(words: readonly string[], url = `${folder.join('backup')}/{relpath}`): string[] {
  return ['replicate', '--watch', folder.join('data'), url, ...words]
}

async function expectRestored(replica: string, app: App): Promise<void> {
  const copy = folder.join('copy.db')
  const { status, stderr } = await runCLI(['restore', folder.join(replica), '-o', copy, '--force'])
  expect(stderr).toBe('')
  expect(status).toBe(EXIT.ok)
  expect(contents(copy)).toEqual({ ...contents(app.path), problems: 'ok' })
}

function eventsOf({ stdout }: CLIResult): EventJSON[] {
  const lines = stdout.trim().split('\n')
  return lines.map((line) => SCHEMAS['replicate-event'].parse(JSON.parse(line)))
}

/** An application in a process of its own: creates a database and commits 20 rows. */
const WRITER = `
  import Database from 'better-sqlite3'
  const db = new Database(process.argv[1])
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE entry (n INTEGER PRIMARY KEY, body BLOB)')
  for (let i = 0; i < 20; i++) db.prepare('INSERT INTO entry VALUES (?, randomblob(200))').run(i)
  console.log('written')
`

describe('replicate --watch', () => {
  test('replicates each database to its own place, also one that another process creates later', async () => {
    const first = database('a.db')
    const second = database('x/b.db')
    const cli = startCLI(watch(['--json', '--sync-interval', '20ms']))
    await cli.line(/"type":"watching".*"databases":2/)
    const path = folder.join('data/x/new.db')
    const writer = startProgram(process.execPath, ['--input-type=module', '-e', WRITER, path], {
      cwd: import.meta.dirname,
    })
    await writer.line(/written/)
    expect((await writer.result).status).toBe(0)
    await cli.line(/"database":"[^"]*new.db".*"type":"snapshotted"/)
    first.commit(5)
    second.commit(7)
    cli.child.kill('SIGINT')
    const result = await cli.result
    expect(result.stderr).toBe('')
    expect(result.status).toBe(EXIT.ok)
    const events = eventsOf(result)
    expect(events.at(-1)).toMatchObject({
      type: 'folder-stopped',
      databases: 3,
      pendingFiles: 0,
      incomplete: [],
    })
    expect(events).toContainEqual(
      expect.objectContaining({
        type: 'member',
        state: 'open',
        database: path,
        replica: `${folder.join('backup')}/x/new.db`,
      }),
    )
    await expectRestored('backup/a.db', first)
    await expectRestored('backup/x/b.db', second)
    apps.push(new App(path))
    await expectRestored('backup/x/new.db', apps.at(-1) as App)
  })

  test('says little to people', async () => {
    database('a.db')
    database('x/b.db')
    const cli = startCLI(watch([]))
    await cli.line(/^x\/b.db: snapshot .* uploaded/)
    await cli.line(/^a.db: snapshot .* uploaded/)
    cli.child.kill('SIGTERM')
    const { status, stdout, stderr } = await cli.result
    expect(stderr).toBe('')
    expect(status).toBe(EXIT.ok)
    const lines = stdout.trim().split('\n')
    expect(lines.find((line) => line.startsWith('watching'))).toMatch(/data: 2 databases/)
    expect(lines.at(-1)).toMatch(/data: stopped; 2 databases: everything is in the replicas$/)
    expect(lines.length).toBe(4)
  })
})

test('a store that is gone: Ctrl-C says what is not uploaded, and the next run uploads it', async () => {
  const app = database('x/a.db')
  database('b.db')
  const cli = startCLI(watch(['--json', '--sync-interval', '20ms']))
  await cli.line(/a\.db.*"type":"snapshotted"/)
  await cli.line(/b\.db.*"type":"snapshotted"/)
  renameSync(folder.join('backup'), folder.join('away'))
  writeFileSync(folder.join('backup'), 'a file where the folder was')
  app.commit(3)
  await cli.line(/a\.db.*"type":"failed","operation":"upload"/)
  cli.child.kill('SIGINT')
  const result = await cli.result
  expect(result.status).toBe(EXIT.interrupted)
  const last = eventsOf(result).at(-1)
  expect(last).toMatchObject({ type: 'folder-stopped', databases: 2, incomplete: [app.path] })
  expect(last?.type === 'folder-stopped' && last.pendingFiles).toBeGreaterThan(0)

  rmSync(folder.join('backup'))
  renameSync(folder.join('away'), folder.join('backup'))
  expect((await runCLI(watch(['--once']))).status).toBe(EXIT.ok)
  await expectRestored('backup/x/a.db', app)
})

describe('replicate --watch --once', () => {
  test('uploads all of them with few open at a time, by a template and patterns', async () => {
    const names = ['a.db', 'x/b.db', 'x/c.db']
    const all = names.map((name) => database(name, 5))
    database('x/left-out.db')
    database('a.other')
    const url = `${folder.join('backup')}/t/{dir}/{stem}`
    const words = ['--once', '--max-open', '1', '--include', '*.db', '--exclude', 'left-*']
    const { status, stdout, stderr } = await runCLI(watch(words, url))
    expect(stderr).toBe('')
    expect(status).toBe(EXIT.ok)
    expect(stdout).toMatch(/stopped; 3 databases: everything is in the replicas\n$/)
    await expectRestored('backup/t/a', all[0] as App)
    await expectRestored('backup/t/x/b', all[1] as App)
    await expectRestored('backup/t/x/c', all[2] as App)
  })

  test('a database that cannot be replicated is named, ends with its exit code, and holds up no other', async () => {
    const good = database('good.db')
    database('bad.db')
    writeFileSync(folder.join('data/.bad.db-sqlstream'), 'a file where its state should be')
    const { status, stdout } = await runCLI(watch(['--once']))
    expect(status).not.toBe(EXIT.ok)
    expect(stdout).toMatch(/^bad\.db: open failed: /m)
    expect(stdout).toMatch(/not everything is in the replicas of 1 database: bad\.db$/m)
    await expectRestored('backup/good.db', good)
  })

  test('two databases with one destination: the second is not replicated, which is an error', async () => {
    database('x/app.db')
    database('app.db')
    const { status, stdout } = await runCLI(watch(['--once'], `${folder.join('backup')}/{name}`))
    expect(status).toBe(EXIT.conflict)
    expect(stdout).toMatch(/^warning: .* is not replicated: .* \(destination-collision\)$/m)
  })
})

describe('is refused', () => {
  test.each<[string, string[], RegExp]>([
    [
      'an unknown placeholder',
      ['/b/{realpath}'],
      /no placeholder \{realpath\}.*\nhint: did you mean \{relpath\}/,
    ],
    ['a placeholder for a bucket', ['s3://{name}/x'], /may stand in the path/],
    ['an open brace', ['/b/{name'], /a brace has no counterpart/],
    ['a character that keys cannot have', ['/b/{name} x'], /has " " after/],
    ['no URL', [], /the folder needs a URL/],
    ['two URLs', ['/b', '/c'], /one URL for all/],
    ['a folder for local state', ['/b', '--state-dir', '/s'], /state-dir/],
    ['an empty pattern', ['/b', '--include', '/'], /is empty/],
  ])('%s', async (_, words, expected) => {
    const { status, stderr } = await runCLI(['replicate', '--watch', folder.join('data'), ...words])
    expect(stderr).toMatch(expected)
    expect(status).toBe(EXIT.usage)
  })

  test('a file in place of the folder, and patterns without one', async () => {
    const app = database('a.db')
    const file = await runCLI(['replicate', '--watch', app.path, '/b'])
    expect(file.status).toBe(EXIT.usage)
    expect(file.stderr).toMatch(/is no folder/)
    const pattern = await runCLI(['replicate', app.path, '/b', '--include', '*.db'])
    expect(pattern.status).toBe(EXIT.usage)
  })
})

describe('folders of a configuration', () => {
  test('are checked, shown and replicated', async () => {
    const app = database('x/a.db')
    const text = `folders:
  - path: data
    url: backup/{relpath}
    include: ["*.db"]
    exclude: [tmp]
    recursive: true
    maxOpen: 10
    restAfter: 5s
    syncInterval: 20ms
`
    writeFile(folder, 'sqlstream.yml', text)
    const options = { cwd: folder.path }
    expect((await runCLI(['config', 'check'], options)).stdout).toBe(
      'sqlstream.yml (sqlstream): right: 1 folder\n',
    )
    const shown = await runCLI(['config', 'show', '--json'], options)
    expect(SCHEMAS['config-show'].parse(JSON.parse(shown.stdout)).folders).toEqual([
      {
        path: folder.join('data'),
        url: folder.join('backup/{relpath}'),
        include: ['*.db'],
        exclude: ['tmp'],
        recursive: true,
        maxOpen: 10,
        restAfterMs: 5000,
        syncIntervalMs: 20,
        lease: {},
        environment: {},
      },
    ])
    expect((await runCLI(['config', 'show'], options)).stdout).toMatch(
      /databases in .*data -> .*\n {4}only \*\.db\n/,
    )
    const { status, stderr } = await runCLI(['replicate', '--once'], options)
    expect(stderr).toBe('')
    expect(status).toBe(EXIT.ok)
    await expectRestored('backup/x/a.db', app)
  })

  test('with mistakes are refused with lines and hints', async () => {
    const text =
      'folders:\n  - path: data\n    url: backup/{nam}\n    include: ["/"]\n    maxOpen: 0\n    rest: 1s\n'
    writeFile(folder, 'sqlstream.yml', text)
    const options = { cwd: folder.path }
    expect((await runCLI(['config', 'check'], options)).stdout).toMatch(
      /:5: folders\[0\]\.maxOpen expected.*\n.*:6: folders\[0\]\.rest is no key/,
    )
    writeFile(folder, 'sqlstream.yml', text.replace('    maxOpen: 0\n    rest: 1s\n', ''))
    expect((await runCLI(['config', 'check'], options)).stdout).toMatch(
      /:3: folders\[0\]\.url makes no sense: there is no placeholder \{nam\}; did you mean \{name\}\?\n.*:4: folders\[0\]\.include/,
    )
  })

  test('of Litestream are replicated with the relative path at the end of the URL', async () => {
    const app = database('a.db')
    database('x/b.db')
    const text = 'dbs:\n  - dir: data\n    pattern: "*.db"\n    watch: true\n    replica: { path: backup }\n'
    writeFile(folder, 'litestream.yml', text)
    const words = ['replicate', '--once', '--config', 'litestream.yml', '--json']
    const result = await runCLI(words, { cwd: folder.path })
    expect(result.status).toBe(EXIT.ok)
    expect(eventsOf(result).at(-1)).toMatchObject({ databases: 1 })
    await expectRestored('backup/a.db', app)
  })
})

describe('status --watch', () => {
  test('tells of each database whether it is replicated and what waits, the oldest first', async () => {
    database('a.db')
    const late = database('x/late.db')
    const once = await runCLI(watch(['--once']))
    expect(once.status).toBe(EXIT.ok)
    database('new.db')
    const cli = startCLI([
      'replicate',
      late.path,
      folder.join('backup/x/late.db'),
      '--json',
      '--sync-interval',
      '20ms',
    ])
    await cli.line(/"type":"state".*"to":"(idle|capturing)"/)
    renameSync(folder.join('backup'), folder.join('away'))
    writeFileSync(folder.join('backup'), 'a file where the folder was')
    late.commit(2)
    await cli.line(/"type":"failed","operation":"upload"/)
    const { status, stdout, stderr } = await runCLI(['status', folder.join('data'), '--json'])
    expect(stderr).toBe('')
    expect(status).toBe(EXIT.ok)
    const shown = SCHEMAS['status-folder'].parse(JSON.parse(stdout))
    expect(shown).toMatchObject({
      databases: 3,
      running: 1,
      captured: 2,
      pending: 1,
      unreadable: 0,
      problems: [],
    })
    expect(shown.list.map((row) => row.database)).toEqual(['x/late.db', 'new.db', 'a.db'])
    expect(shown.list[0]).toMatchObject({ running: true, pendingSince: shown.pendingSince })
    const table = await runCLI(['status', '--watch', folder.join('data'), '--exclude', 'x'])
    expect(table.stdout).toMatch(/: 2 databases, 0 being replicated now, 1 resting, 1 captured/)
    expect(table.stdout).toMatch(/^new\.db +never /m)
    expect(table.stdout).toMatch(/^a\.db +resting +0000000000000001 /m)
    expect((await runCLI(['status', folder.join('data/a.db')])).stdout).toMatch(/a\.db: at rest since/)
    cli.child.kill('SIGINT')
    expect((await cli.result).status).toBe(EXIT.interrupted)
  })

  test('tells first of which databases captures were given up', async () => {
    database('a.db')
    const late = database('x/late.db')
    const words = [
      'replicate',
      late.path,
      folder.join('backup/x/late.db'),
      '--json',
      '--sync-interval',
      '20ms',
    ]
    const cli = startCLI([...words, '--max-spool', '32KB'])
    await cli.line(/"type":"snapshotted"/)
    renameSync(folder.join('backup'), folder.join('away'))
    writeFileSync(folder.join('backup'), 'a file where the folder was')
    // There must be something to give up before there is too much of it.
    late.commit()
    await cli.line(/"type":"captured"/)
    late.commit(200)
    await cli.line(/"type":"given-up"/)
    cli.child.kill('SIGKILL')
    await cli.result
    const { stdout } = await runCLI(['status', folder.join('data'), '--json'])
    const shown = SCHEMAS['status-folder'].parse(JSON.parse(stdout))
    expect(shown).toMatchObject({ databases: 2, givenUp: 1 })
    expect(shown.list[0]).toMatchObject({ database: 'x/late.db', givenUp: true })
    const table = await runCLI(['status', folder.join('data')])
    expect(table.stdout).toMatch(/^warning: captures of 1 database were given up/m)
    expect(table.stdout).toMatch(/^x\/late\.db +stopped, given up /m)
  })

  test('takes a folder that is there, without a URL', async () => {
    expect((await runCLI(['status', '--watch', folder.join('none')])).status).toBe(EXIT.notFound)
    expect((await runCLI(['status', folder.join('data'), '/b'])).status).toBe(EXIT.usage)
    expect((await runCLI(['status'])).status).toBe(EXIT.usage)
  })
})
