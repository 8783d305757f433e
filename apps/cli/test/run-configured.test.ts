import { spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { RUN } from './support/run-cli.ts'
import { RunScene } from './support/run-scene.ts'
import { writeFile } from './support/write-file.ts'

let scene: RunScene

beforeEach(() => {
  scene = new RunScene()
})

afterEach(async () => {
  await scene[Symbol.asyncDispose]()
})

/** A command as one text. */
function quoted(words: readonly string[]): string {
  return words.map((word) => `'${word}'`).join(' ')
}

describe('run with a configuration', () => {
  test('runs the application that the file names, and one behind -- instead', async () => {
    const exec = JSON.stringify(scene.application({ commits: 2, exit: 4 }))
    const text = `exec: ${exec}\ndatabases:\n  - { path: app.db, url: backup }\n`
    writeFile(scene.folder, 'sqlstream.yml', text)
    expect(await scene.cli('run')).toMatchObject({ status: 4, stdout: 'rows 0\ncommitted 2\n' })
    const typed = await scene.cli('run', '--', ...scene.application({ exit: 0 }))
    expect(typed).toMatchObject({ status: EXIT.ok, stdout: 'rows 2\ncommitted 2\n' })
    expect(await scene.backedUpRows()).toBe(2)
    const shown = JSON.parse((await scene.cli('config', 'show', '--json')).stdout) as { exec: string[] }
    expect(shown.exec).toEqual(scene.application({ commits: 2, exit: 4 }))
    expect((await scene.cli('config', 'show')).stdout).toContain('application of sqlstream run: ')
  })

  test('replicate starts no application, and its hint says what does', async () => {
    writeFile(scene.folder, 'sqlstream.yml', 'exec: app\ndatabases:\n  - { path: app.db, url: backup }\n')
    const { status, stderr } = await scene.cli('replicate')
    expect(status).toBe(EXIT.usage)
    expect(stderr).toMatch(/"exec".*\(bad-config\)\nhint: sqlstream run starts it/)
  })

  test('a litestream.yml with exec is run as it is, and restores what is missing', async () => {
    const exec = JSON.stringify(quoted(scene.application({ commits: 3, exit: 0 })))
    const database = `  - path: ${scene.database}\n    restore-if-db-not-exists: true\n    replica: { path: ${scene.backup} }\n`
    writeFile(scene.folder, 'litestream.yml', `exec: ${exec}\ndbs:\n${database}`)
    await scene.backUp(5)
    const { status, stdout, stderr } = await scene.cli('run', '--config', 'litestream.yml')
    expect([status, stdout]).toEqual([EXIT.ok, 'rows 5\ncommitted 8\n'])
    expect(stderr).toMatch(/restore-if-db-not-exists is not heeded; sqlstream run does that/)
    expect(await scene.backedUpRows()).toBe(8)
    const refused = await scene.cli('replicate', '--config', 'litestream.yml')
    expect(refused.stderr).toMatch(/hint: sqlstream run starts it/)
  })

  test('several databases: one is there, one is restored, one is made', async () => {
    await scene.cli(
      'run',
      'there.db',
      'b/there',
      '--',
      ...scene.application({ database: 'there.db', commits: 2, exit: 0 }),
    )
    await scene.backUp(4, scene.folder.join('b/gone'))
    const pairs = ['there.db', 'b/there', 'gone.db', 'b/gone', 'new.db', 'b/new']
    const script = ['there', 'gone', 'new'].map((name) =>
      quoted(scene.application({ database: scene.folder.join(`${name}.db`), commits: 1, exit: 0 })),
    )
    const { status, stdout } = await scene.cli('run', ...pairs, '--', 'sh', '-c', script.join(' && '))
    expect([status, stdout]).toEqual([
      EXIT.ok,
      'rows 2\ncommitted 3\nrows 4\ncommitted 5\nrows 0\ncommitted 1\n',
    ])
    for (const [name, rows] of Object.entries({ there: 3, gone: 5, new: 1 }))
      expect(await scene.backedUpRows(scene.folder.join('b', name))).toBe(rows)
  })

  test('folders, no command, and half a pair are wrong use', async () => {
    const words = ['--', ...scene.application()]
    writeFile(scene.folder, 'f.yml', 'folders:\n  - { path: data, url: backup }\n')
    for (const [args, message] of [
      [['--config', 'f.yml', ...words], /folders.*\nhint: sqlstream restore --tree/],
      [[scene.database, scene.backup], /no application to run \(usage\)\nhint: sqlstream run/],
      [[scene.database, scene.backup, '--'], /no application to run/],
      [[scene.database, ...words], /each database needs a URL/],
      [words, /nothing to replicate.*\nhint: sqlstream run <db> <url>/],
      [[scene.database, scene.backup, '--stop-timeout', 'soon', ...words], /not a duration/],
      [[scene.database, scene.backup, '--once', ...words], /--once/],
    ] as const) {
      const { status, stdout, stderr } = await scene.cli('run', ...args)
      expect([status, stdout]).toEqual([EXIT.usage, ''])
      expect(stderr).toMatch(message)
    }
    expect(scene.isThere).toBe(false)
  })
})

describe('run --json', () => {
  test('tells all on standard error, one valid line per event, and leaves standard output to the application', async () => {
    await scene.backUp(3)
    const { status, stdout, stderr } = await scene.run(['--json'], { commits: 1, exit: 0 }).result
    expect([status, stdout]).toEqual([EXIT.ok, 'rows 3\ncommitted 4\n'])
    const events = stderr
      .trim()
      .split('\n')
      .map((line) => SCHEMAS['run-event'].parse(JSON.parse(line)))
    const types = events.map((event) => ('state' in event ? `${event.type} ${event.state}` : event.type))
    const order = ['restoring', 'restored', 'lease acquired', 'application started', 'application ended']
    expect(types.filter((type) => order.includes(type))).toEqual(order)
    expect(events.at(-1)).toMatchObject({ type: 'stopped', pendingFiles: 0 })
    expect(events).toContainEqual(expect.objectContaining({ type: 'application', state: 'ended', code: 0 }))
  })

  test('also what it begins without, and an error', async () => {
    const first = await scene.run(['--json'], { exit: 0 }).result
    expect(SCHEMAS['run-event'].parse(JSON.parse(first.stderr.split('\n')[0] ?? ''))).toMatchObject({
      type: 'no-backup',
      database: scene.database,
    })
    const words = [scene.database, scene.backup, '--json', '--', 'no-such-program']
    const { stderr } = await scene.cli('run', ...words)
    expect(SCHEMAS.error.parse(JSON.parse(stderr))).toMatchObject({ error: { code: 'command-not-found' } })
  })
})

const SCRIPT = '/usr/bin/script'

test.runIf(existsSync(SCRIPT) && spawnSync(SCRIPT, ['-V']).stdout.includes('util-linux'))(
  'Ctrl-C in a terminal reaches the application once',
  async () => {
    const words = [process.execPath, RUN, 'run', scene.database, scene.backup, '--', ...scene.application()]
    // A shell that stays would end by the signal itself, and that code is what we would see.
    const terminal = spawn(SCRIPT, ['-qec', `exec ${quoted(words)}`, '/dev/null'], {
      env: { ...process.env, ...scene.options.env },
    })
    let shown = ''
    const seen = (pattern: RegExp): Promise<void> =>
      expect.poll(() => shown).toMatch(pattern) as unknown as Promise<void>
    terminal.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += text
    })
    const status = new Promise((resolve) => terminal.once('close', resolve))
    await seen(/serving/)
    terminal.stdin.write('\x03')
    await seen(/got SIGINT/)
    const pid = Number(/started \(pid (\d+)\)/.exec(shown)?.[1])
    process.kill(pid, 'SIGTERM')
    expect(await status).toBe(EXIT.ok)
    expect(shown.match(/got SIGINT/g)).toHaveLength(1)
  },
)
