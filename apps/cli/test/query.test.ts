import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { text } from 'node:stream/consumers'
import { openReplica } from '@sqlstream/read-replica/node'
import { FileStore } from '@sqlstream/storage-file'
import { TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { resultText } from '../src/query/query-output.ts'
import { Shell } from '../src/query/shell.ts'
import { splitStatements } from '../src/query/statements.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App } from './support/app.ts'
import { type CLIResult, RUN, runCLI, startProgram } from './support/run-cli.ts'
import { installStallingDriver, stallAt } from './support/stalling-driver.ts'

const ENDLESS = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n'

const folder = new TempFolder('query')
const backup = folder.join('backup')

beforeAll(async () => {
  using app = new App(folder.join('app.db'))
  for (let i = 0; i < 3; i++) {
    app.commit(2)
    expect((await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])).status).toBe(0)
  }
})

afterAll(() => folder.remove())

function query(...args: string[]): Promise<CLIResult> {
  return runCLI(['query', backup, ...args])
}

/** The command with this on its standard input. */
function typed(input: string, ...args: string[]): Promise<CLIResult> {
  const script = 'printf "%s" "$1" | { shift; "$@"; }'
  return startProgram('sh', ['-c', script, 'sh', input, process.execPath, RUN, 'query', backup, ...args])
    .result
}

test('shows a table, with numbers to the right', async () => {
  const { status, stdout, stderr } = await query(
    `SELECT n, 'x' || n AS text, null AS none, 'a' || char(10) || char(27) AS odd FROM entry WHERE n > 4 -- the last ones`,
  )
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' })
  expect(stdout).toBe('n  text  none  odd\n5  x5    NULL  a\\n\\u001b\n6  x6    NULL  a\\n\\u001b\n')
})

test('writes CSV that others can read', async () => {
  const sql = `SELECT 1 AS n, null AS none, '' AS empty, 'a "b", c' AS quoted, x'00ff' AS blob; SELECT 9223372036854775807 AS large`
  expect((await query(sql, '--csv')).stdout).toBe(
    'n,none,empty,quoted,blob\n1,,"","a ""b"", c",00ff\n\nlarge\n9223372036854775807\n',
  )
})

test('gives JSON with every value, and the state that it is of', async () => {
  const { stdout, status } = await query(
    `SELECT count(*) AS a, 1.5 AS a, 9223372036854775807 AS b, x'00ff' AS c, null AS d FROM entry; SELECT 1 AS x WHERE 0`,
    '--json',
  )
  expect(status).toBe(0)
  expect(SCHEMAS.query.parse(JSON.parse(stdout))).toEqual({
    source: backup,
    txid: '0000000000000003',
    timestamp: expect.any(String),
    results: [
      {
        columns: ['a', 'a', 'b', 'c', 'd'],
        rows: [[6, 1.5, { integer: '9223372036854775807' }, { base64: 'AP8=' }, null]],
      },
      { columns: ['x'], rows: [] },
    ],
  })
})

test('reads a state of the past, by TXID and by time', async () => {
  const count = 'SELECT count(*) AS n FROM entry'
  const ago = SCHEMAS.query.parse(JSON.parse((await query(count, '--json', '--txid', '2')).stdout))
  expect(ago).toMatchObject({ txid: '0000000000000002', results: [{ rows: [[4]] }] })
  const then = await query(count, '--json', '--at', ago.timestamp)
  expect(SCHEMAS.query.parse(JSON.parse(then.stdout))).toEqual(ago)
})

test.each([
  [
    'a statement that SQLite refuses',
    ['SELECT * FROM missing'],
    EXIT.usage,
    /no such table: missing \(sql\)/,
  ],
  [
    'a statement that writes',
    ['DELETE FROM entry'],
    EXIT.usage,
    /attempt to write a readonly database \(sql\)\nhint: /,
  ],
  ['no statement', [' ; -- nothing'], EXIT.usage, /no statement/],
  ['--json without a statement', ['--json'], EXIT.usage, /--json needs the statements/],
  ['a time that is none', ['SELECT 1', '--at', 'yesterday'], EXIT.usage, /not an instant/],
  [
    'two ways to name a state',
    ['SELECT 1', '--at', 'x', '--txid', '1'],
    EXIT.usage,
    /cannot also be provided/,
  ],
  ['a state that is not there', ['SELECT 1', '--txid', 'ff'], EXIT.notRestorable, /target-after-last/],
])('refuses %s', async (_, args, exit, message) => {
  const { status, stderr } = await query(...args)
  expect(stderr).toMatch(message)
  expect(status).toBe(exit)
})

test('without a backup it is an error', async () => {
  const { status, stderr } = await runCLI(['query', folder.join('nothing'), 'SELECT 1'])
  expect(stderr).toMatch(/\(no-snapshot\)/)
  expect(status).toBe(EXIT.notFound)
})

test('takes statements and commands from standard input', async () => {
  const { stdout, stderr, status } = await typed(
    '.tables\n.schema entry\nSELECT count(*) AS n\nFROM entry;\n.mode csv\n.at 2\nSELECT count(*) FROM entry; SELECT 1\n',
  )
  expect({ stderr, status }).toEqual({ stderr: '', status: 0 })
  expect(stdout).toMatch(
    /^entry\nCREATE TABLE entry [^\n]*;\nn\n6\nTXID 0{15}2, of \S+Z\ncount\(\*\)\n4\n1\n1\n$/,
  )
})

test('the first error in standard input ends it', async () => {
  const { stdout, stderr, status } = await typed('SELECT 1 AS a;\nSELEKT;\nSELECT 2;\n')
  expect(stdout).toBe('a\n1\n')
  expect(stderr).toMatch(/syntax error/)
  expect(status).toBe(EXIT.usage)
  expect((await typed('.nonsense\n')).stderr).toMatch(/there is no command \.nonsense/)
  expect((await typed('SELECT 1;\n.quit\nSELEKT;\n')).status).toBe(0)
})

test('Ctrl-C ends a statement that takes long', async () => {
  const child = spawn(process.execPath, [RUN, 'query', backup], { stdio: 'pipe' })
  const errors = text(child.stderr)
  child.stdin.write(`SELECT 'begun';\n${ENDLESS};\n`)
  await once(child.stdout, 'data')
  child.kill('SIGINT')
  const [status] = await once(child, 'close')
  expect(await errors).toMatch(/stopped by SIGINT \(interrupted\)/)
  expect(status).toBe(EXIT.interrupted)
})

test('Ctrl-C while it opens ends it', async () => {
  installStallingDriver(folder)
  const { status, stderr } = await runCLI(['query', `stalling://${backup}`, 'SELECT 1'], {
    cwd: folder.path,
    env: stallAt('get', /^ltx\/9\//, 1),
  })
  expect(stderr).toMatch(/stopped by SIGINT/)
  expect(status).toBe(EXIT.interrupted)
})

describe('the shell', () => {
  /** A shell at streams, as if somebody typed. */
  async function begin() {
    const store = new FileStore(backup)
    const newest = await openReplica({ store, poll: false })
    const [input, output, errors] = [new PassThrough(), new PassThrough(), new PassThrough()]
    const { signal } = new AbortController()
    const shell = new Shell({ newest, input, output, errors, isInteractive: true, signal, format: 'table' })
    const ended = shell.run().finally(() => newest.close())
    return { input, output, errors, ended }
  }

  async function session(lines: readonly string[]): Promise<{ output: string; errors: string }> {
    const { input, output, errors, ended } = await begin()
    input.end(lines.map((line) => `${line}\n`).join(''))
    await ended
    output.end()
    errors.end()
    return { output: await text(output), errors: await text(errors) }
  }

  test('says which state it shows, travels, and goes on after an error', async () => {
    const { output, errors } = await session([
      'SELECT missing;',
      '.at 1',
      'SELECT count(*) AS then_ FROM entry;',
      '.at latest',
      'SELECT count(*) AS now_',
      'FROM entry;',
      '.mode nonsense',
      '.help',
      '.quit',
      // The line is echoed, its answer would not be: no TXID and no time holds these digits.
      'SELECT 777 * 1000001;',
    ])
    expect(errors).toMatch(/no such column: missing \(sql\)[\s\S]*no mode nonsense/)
    expect(output).toMatch(
      /TXID 0{15}3, of \S+Z, the newest\n[\s\S]*TXID 0{15}1, of \S+Z\n[\s\S]*then_[\s\S]*2\n/,
    )
    expect(output).toMatch(/now_[\s\S]*6\n[\s\S]*\.tables +tables and views/)
    expect(output).not.toContain('777000777')
  })

  test('Ctrl-C lets go what was typed', async () => {
    const { input, output, errors, ended } = await begin()
    const seen: string[] = []
    output.setEncoding('utf8').on('data', (part: string) => seen.push(part))
    input.write('SELECT 1,\n')
    while (!seen.join('').includes('...>')) await once(output, 'data')
    input.end('\u0003SELECT 5 AS five;\n')
    await ended
    expect(errors.read()).toBeNull()
    expect(seen.join('')).toMatch(/five\r?\n *5\r?\n/)
  })
})

describe('splitStatements', () => {
  test.each([
    ['SELECT 1', [], 'SELECT 1'],
    ['SELECT 1; SELECT 2;', ['SELECT 1;', 'SELECT 2;'], ''],
    [`SELECT ';', ";", \`;\`, [;] ; x`, [`SELECT ';', ";", \`;\`, [;] ;`], 'x'],
    [`SELECT 'it''s; fine'; `, [`SELECT 'it''s; fine';`], ''],
    ['-- a; b\nSELECT 1 /* ; */; -- end', ['-- a; b\nSELECT 1 /* ; */;'], ''],
    [';; ;', [], ''],
    ['/* open; ', [], ''],
    [`SELECT 'open; `, [], `SELECT 'open;`],
  ])('%j', (text, statements, rest) => {
    expect(splitStatements(text)).toEqual({ statements, rest })
  })
})

test('a statement without columns has no text', () => {
  expect(resultText({ columns: [], rows: [] }, 'table')).toBe('')
  expect(resultText({ columns: ['a'], rows: [] }, 'table')).toBe('a\n')
})
