import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App } from './support/app.ts'
import { type CLIResult, RUN, runCLI, startProgram } from './support/run-cli.ts'

const ONE_ERROR_AND_HINT = /^error: [^\n]+ \([A-Za-z-]+\)\nhint: [^\n]+\n$/

let folder: TempFolder

beforeEach(() => {
  folder = new TempFolder('cli')
})

afterEach(() => {
  folder.remove()
})

/** One line, a code in brackets, a hint; the exit code of its class; nothing new on disk. */
async function refused(args: readonly string[], exit: number, code: string): Promise<CLIResult> {
  const before = readdirSync(folder.path, { recursive: true }).sort()
  const result = await runCLI(args)
  expect(result.stderr).toMatch(ONE_ERROR_AND_HINT)
  expect(result.stderr).toContain(`(${code})`)
  expect(result.status).toBe(exit)
  expect(readdirSync(folder.path, { recursive: true }).sort()).toEqual(before)
  return result
}

/** Permissions mean nothing to root, so these runs need another user, whom only root can become. */
const ROOT_USER = process.getuid?.() === 0

function asNobody(args: readonly string[], prepare = 'true'): Promise<CLIResult> {
  const drop = 'exec setpriv --reuid=65534 --regid=65534 --clear-groups'
  const script = `chmod 755 "$1" && ${prepare} && shift && ${drop} "$@"`
  return startProgram('sh', ['-c', script, 'sh', folder.path, process.execPath, RUN, ...args]).result
}

async function makeBackup(): Promise<string> {
  using app = new App(folder.join('source.db'))
  app.commit(200)
  await runCLI(['replicate', app.path, folder.join('backup'), '--once', '--no-compaction'])
  return folder.join('backup')
}

describe('replicate refuses', () => {
  test('a file that is not a database', async () => {
    writeFileSync(folder.join('text.db'), 'this is not a database, only some text\n'.repeat(200))
    await refused(
      ['replicate', folder.join('text.db'), folder.join('b'), '--once'],
      EXIT.unsupported,
      'not-a-database',
    )
  })

  test('T75: a database that is not in WAL mode', async () => {
    const db = new Database(folder.join('delete.db'))
    db.exec('CREATE TABLE t (n)')
    db.close()
    await refused(
      ['replicate', folder.join('delete.db'), folder.join('b'), '--once'],
      EXIT.unsupported,
      'not-wal-mode',
    )
  })

  test('a database that does not exist', async () => {
    await refused(
      ['replicate', folder.join('none.db'), folder.join('b'), '--once'],
      EXIT.notFound,
      'database-missing',
    )
  })

  test('T46 a database in exclusive locking mode', async () => {
    const db = new Database(folder.join('exclusive.db'))
    db.pragma('locking_mode = EXCLUSIVE')
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE t (n)')
    const result = await runCLI([
      'replicate',
      folder.join('exclusive.db'),
      folder.join('b'),
      '--once',
      '--no-compaction',
    ])
    db.close()
    expect(result.stderr).toMatch(ONE_ERROR_AND_HINT)
    expect(result.status).toBe(EXIT.unsupported)
  })

  test('an odd number of arguments, two databases with one replica, a duration without unit', async () => {
    const a = folder.join('a.db')
    await refused(['replicate', a, '--once'], EXIT.usage, 'usage')
    await refused(
      ['replicate', a, folder.join('b'), folder.join('c.db'), folder.join('b')],
      EXIT.usage,
      'usage',
    )
    await refused(['replicate', a, folder.join('b'), '--sync-interval', '5'], EXIT.usage, 'usage')
  })
})

describe('a place that is no place', () => {
  test('an unknown URL scheme lists the known ones and guesses', async () => {
    const { stderr } = await refused(['ltx', 'list', 'flie:///backups'], EXIT.usage, 'unknown-scheme')
    expect(stderr).toMatch(/did you mean file:\/\/\?/)
    expect(stderr).toMatch(/known schemes: file:\/\//)
  })

  test('a file:// URL with a host', async () => {
    await refused(['ltx', 'list', 'file://backups/app'], EXIT.usage, 'bad-url')
  })

  test.each([['ltx', 'list'], ['verify'], ['restore', '-o', 'x.db']])(
    '%s of a folder without a backup',
    async (...command) => {
      await refused([...command, folder.join('nothing')], EXIT.notFound, 'no-backup')
    },
  )

  test('T53 a listing that fails is not "no backup"', async () => {
    const backup = await makeBackup()
    writeFileSync(folder.join('file'), '')
    const inTheWay = await runCLI(['restore', folder.join('file'), '-o', folder.join('x.db')])
    const unreadable = await asNobody(
      ['restore', backup, '-o', folder.join('x.db')],
      `chmod 700 ${backup}/ltx`,
    )
    for (const { status, stderr } of [inTheWay, unreadable]) {
      expect(stderr).toMatch(ONE_ERROR_AND_HINT)
      expect(stderr).not.toMatch(/no-backup|no-snapshot/)
      expect([EXIT.usage, EXIT.unavailable]).toContain(status)
      expect(existsSync(folder.join('x.db'))).toBe(false)
    }
  })
})

describe('damage', () => {
  test('a corrupt LTX file stops a restore and leaves no target', async () => {
    const backup = await makeBackup()
    const snapshot = `${backup}/ltx/9/0000000000000001-0000000000000001.ltx`
    const bytes = readFileSync(snapshot)
    bytes[bytes.length >> 1] = (bytes[bytes.length >> 1] ?? 0) ^ 1
    writeFileSync(snapshot, bytes)
    const { status, stderr } = await runCLI(['restore', backup, '-o', folder.join('x.db')])
    expect(stderr).toMatch(/^error: [^\n]+ \([a-z-]+\)\n/)
    expect(status).toBe(EXIT.corrupt)
    expect(readdirSync(folder.path).filter((name) => name.includes('x.db'))).toEqual([])
    const verify = await runCLI(['verify', backup, '--depth', 'bytes', '--json'])
    expect(verify.status).toBe(EXIT.corrupt)
    expect(SCHEMAS.verify.parse(JSON.parse(verify.stdout)).ok).toBe(false)
  })

  test('a missing file is a gap: verify says so, and a restore of what lies behind it is refused', async () => {
    using app = new App(folder.join('app.db'))
    const backup = folder.join('backup')
    for (let i = 0; i < 3; i++) {
      app.commit(1)
      await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])
    }
    rmSync(`${backup}/ltx/0/0000000000000002-0000000000000002.ltx`)
    expect((await runCLI(['verify', backup])).status).toBe(EXIT.corrupt)
    const { status, stderr } = await runCLI(['restore', backup, '-o', folder.join('x.db')])
    expect(stderr).toContain('(gap)')
    expect(status).toBe(EXIT.notRestorable)
  })
})

describe('a machine that says no', () => {
  test.runIf(ROOT_USER)('a folder that may not be written: restore says so and leaves nothing', async () => {
    const backup = await makeBackup()
    const closed = folder.join('closed')
    mkdirSync(closed, { mode: 0o555 })
    const { status, stderr } = await asNobody(['restore', backup, '-o', `${closed}/x.db`])
    expect(stderr).toMatch(ONE_ERROR_AND_HINT)
    expect(status).toBe(EXIT.unavailable)
    expect(readdirSync(closed)).toEqual([])
  })

  test.runIf(ROOT_USER)('a full disk: restore says so and leaves nothing', async () => {
    const backup = await makeBackup()
    const small = folder.join('small')
    mkdirSync(small)
    const script = `mount -t tmpfs -o size=32k tmpfs "$1" && { "$2" "$3" restore "$4" -o "$1/x.db"; code=$?; ls -A "$1" | sed 's/^/left: /'; exit $code; }`
    const args = ['-m', 'sh', '-c', script, 'sh', small, process.execPath, RUN, backup]
    const { status, stdout, stderr } = await startProgram('unshare', args).result
    expect(stderr).toMatch(ONE_ERROR_AND_HINT)
    expect(stderr).toContain('(disk-full)')
    expect(status).toBe(EXIT.diskFull)
    expect(stdout).not.toMatch(/left: /)
  })
})

describe('output', () => {
  test('credentials in a URL never appear', async () => {
    const secret = 'hunter2'
    for (const url of [
      `s3://key:${secret}@bucket/app`,
      `file://user:${secret}@host/x`,
      `flie://${secret}@x/y?token=${secret}`,
    ]) {
      for (const command of [
        ['ltx', 'list', url],
        ['restore', url, '-o', 'x.db'],
        ['replicate', 'app.db', url, '--once'],
      ]) {
        const { stdout, stderr, status } = await runCLI([...command, '--json'])
        expect(`${stdout}${stderr}`).not.toContain(secret)
        expect(status).toBe(EXIT.usage)
      }
    }
  })

  test('with --json an error is JSON on standard output, and a line on standard error', async () => {
    const { stdout, stderr } = await runCLI(['ltx', 'list', folder.join('nothing'), '--json'])
    expect(SCHEMAS.error.parse(JSON.parse(stdout)).error.code).toBe('no-backup')
    expect(stderr).toMatch(ONE_ERROR_AND_HINT)
  })

  test('a misspelt command gets a suggestion', async () => {
    const { status, stderr } = await runCLI(['restor', 'x'])
    expect(stderr).toMatch(/hint: did you mean "sqlstream restore"\?/)
    expect(status).toBe(EXIT.usage)
  })
})
