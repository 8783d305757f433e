import { spawnSync } from 'node:child_process'
import { globSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT_MEANING } from '../apps/cli/src/exit-codes.ts'
import { type CodeBlock, codeBlocks, tableRows } from './support/markdown.ts'
import { fillScenarios } from './support/scenarios.ts'
import { testTitles } from './support/test-titles.ts'
import { ROOT, readText, tool, trackedFiles } from './support/workspace.ts'

const TSCONFIG = {
  extends: '',
  compilerOptions: {
    noEmit: true,
    composite: false,
    declaration: false,
    declarationMap: false,
    isolatedDeclarations: false,
    noUnusedLocals: false,
    rewriteRelativeImportExtensions: false,
    allowImportingTsExtensions: true,
    types: ['node'],
  },
}

let folder = ''
let app: Database.Database

/** What the examples presume: a database that an application has open, and `sqlstream` on the path. */
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlstream-docs-'))
  app = new Database(join(folder, 'app.db'))
  app.pragma('journal_mode = WAL')
  app.exec(
    `CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT); INSERT INTO note (text) VALUES ('first'), ('second')`,
  )
  mkdirSync(join(folder, '.bin'))
  symlinkSync(join(ROOT, 'apps/cli/bin/run.js'), join(folder, '.bin/sqlstream'))
})

afterEach(() => {
  app.close()
  rmSync(folder, { recursive: true, force: true })
})

interface Outcome {
  readonly status: number | null
  readonly output: string
}

function run(program: string, args: readonly string[]): Outcome {
  const path = [
    join(folder, '.bin'),
    join(ROOT, 'node_modules/.bin'),
    dirname(process.execPath),
    process.env['PATH'],
  ]
  const { status, stdout, stderr } = spawnSync(program, args, {
    cwd: folder,
    encoding: 'utf8',
    env: { ...process.env, PATH: path.join(delimiter) },
    timeout: 60_000,
  })
  return { status, output: `${stdout}${stderr}` }
}

/** Writes the examples beside a package, where its dependencies resolve, compiles them, and runs them in order. */
function runExamples(
  home: string,
  examples: readonly CodeBlock[],
  options: { compileOnly?: boolean } = {},
): Outcome {
  const place = join(ROOT, home, '.docs-test')
  rmSync(place, { recursive: true, force: true })
  mkdirSync(place)
  try {
    const files = examples.map(({ language, name, code }, i) => {
      const file = join(place, name ?? `example-${i + 1}.${language}`)
      writeFileSync(file, code)
      return { language, file }
    })
    const sources = files.filter(({ language }) => language === 'ts').map(({ file }) => file)
    const config = { ...TSCONFIG, extends: join(ROOT, 'tsconfig.base.json'), files: sources }
    writeFileSync(join(place, 'tsconfig.json'), JSON.stringify(config))
    if (sources.length > 0) {
      const compiled = run(tool('tsc'), ['-p', place, '--pretty', 'false'])
      if (compiled.status !== 0) return compiled
    }
    if (options.compileOnly) return { status: 0, output: '' }
    let output = ''
    // A file for a test runner is compiled only: it shows a call, and the runner is the reader's.
    for (const { language, file } of files.filter((each) => !each.file.endsWith('.test.ts'))) {
      const outcome =
        language === 'ts' ? run(process.execPath, [file]) : run('bash', ['-euo', 'pipefail', file])
      output += outcome.output
      if (outcome.status !== 0) return { status: outcome.status, output: `${file}\n${output}` }
    }
    return { status: 0, output }
  } finally {
    rmSync(place, { recursive: true, force: true })
  }
}

/** Fails with what the example printed. */
function succeeded({ status, output }: Outcome): void {
  if (status !== 0) throw new Error(`exit ${status}\n${output}`)
}

describe('README.md', () => {
  const examples = codeBlocks(readText('README.md')).filter((block) => ['sh', 'ts'].includes(block.language))

  test('teaches the command line, the library, looking into a backup, and writing a driver by examples', () => {
    const sections = new Set(examples.map((block) => block.section))
    expect([...sections]).toEqual(['Command line', 'Library', 'Look into a backup', 'Write a driver'])
  })

  test('its examples compile and run, one after the other in one folder', () => {
    const driver = examples.filter((block) => block.section === 'Write a driver')
    const outcome = runExamples(
      'apps/cli',
      examples.filter((block) => !driver.includes(block)),
    )
    succeeded(outcome)
    succeeded(runExamples('packages/storage-conformance', driver))
    expect(outcome.output).toMatch(/restored copy\.db at TXID/)
  })

  test.each(['README.md', 'apps/cli/README.md'])(
    'the table of exit codes in %s is the one in the code',
    (file) => {
      const rows = codeTable(readText(file))
      expect(rows).toEqual(Object.entries(EXIT_MEANING).map(([code, meaning]) => [Number(code), meaning]))
    },
  )
})

function codeTable(markdown: string): [number, string][] {
  return tableRows(markdown)
    .filter(([code = '']) => /^\d+$/.test(code))
    .map(([code = '', meaning = '']) => [Number(code), meaning])
}

const readmes = trackedFiles(/^(packages|apps)\/[^/]+\/README\.md$/)

describe.each(readmes)('%s', (file) => {
  const examples = codeBlocks(readText(file)).filter((block) => block.language === 'ts')

  // A package whose examples need data of their own runs them itself, in a test of that name.
  const runsThemItself = trackedFiles(new RegExp(`^${dirname(file)}/test/readme\\.test\\.ts$`)).length > 0

  test(`its TypeScript examples compile${runsThemItself ? '' : ' and run'}`, () => {
    if (!runsThemItself) succeeded(run('sqlstream', ['replicate', 'app.db', 'backup', '--once']))
    succeeded(runExamples(dirname(file), examples, { compileOnly: runsThemItself }))
  })

  test('it says what the package is, how to install it, and what its errors are', () => {
    const text = readText(file)
    expect(text).toMatch(/^# @sqlstream\//)
    if (!text.includes('(private)')) expect(text).toContain('npm install')
    expect(text).toMatch(/error/i)
  })
})

describe('packages/ltx-format/README.md, "Inspect a backup in ten lines"', () => {
  const file = 'packages/ltx-format/README.md'
  const [example] = codeBlocks(readText(file)).filter((block) => block.section.startsWith('Inspect a backup'))

  test('has ten lines, and they tell every file and every page of a backup', () => {
    expect(example!.code.trimEnd().split('\n').length).toBeLessThanOrEqual(10)
    succeeded(run('sqlstream', ['replicate', 'app.db', 'backup', '--once']))
    app.exec(`INSERT INTO note (text) VALUES (randomblob(10000))`)
    succeeded(run('sqlstream', ['replicate', 'app.db', 'backup', '--once']))
    const outcome = runExamples(dirname(file), [example!])
    succeeded(outcome)
    const pages = Number(app.pragma('page_count', { simple: true }))
    const [snapshot, change, ...more] = outcome.output.split(/^(?=backup)/m).toReversed()
    expect(more).toEqual([])
    expect(snapshot).toMatch(
      /^backup\/ltx\/9\/.*: transactions 1 to 1, then 2 pages\n {2}page 1, 4096 bytes\n {2}page 2, 4096 bytes\n$/,
    )
    expect(change).toMatch(new RegExp(`: transactions 2 to 2, then ${pages} pages\n`))
    expect(change).toContain(`\n  page ${pages}, 4096 bytes\n`)
  })

  test('they end at a damaged byte with the code of the error', () => {
    succeeded(run('sqlstream', ['replicate', 'app.db', 'backup', '--once']))
    const [snapshot = ''] = globSync(join(folder, 'backup/ltx/9/*.ltx'))
    const bytes = readFileSync(snapshot)
    bytes[bytes.length - 1] = bytes[bytes.length - 1]! ^ 1
    writeFileSync(snapshot, bytes)
    const { status, output } = runExamples(dirname(file), [example!])
    expect(status).not.toBe(0)
    expect(output).toMatch(/LTXError: [\s\S]*code: 'checksum-mismatch'/)
  })
})

describe('docs/library.md', () => {
  const [first, second] = codeBlocks(readText('docs/library.md')).filter((block) => block.language === 'ts')

  test('its first example has ten lines at most, and replicates', () => {
    const lines = first!.code.split('\n').filter((line) => line.trim() !== '')
    expect(lines.length).toBeLessThanOrEqual(10)
    const outcome = runExamples('apps/cli', [first!])
    succeeded(outcome)
    expect(outcome.output).toMatch(/in the replica: transaction \d+/)
  })

  test('what it says of the configuration compiles', () => {
    succeeded(runExamples('apps/cli', [second!], { compileOnly: true }))
  })
})

describe('docs/read.md', () => {
  const [recipe] = codeBlocks(readText('docs/read.md')).filter((block) => block.language === 'ts')

  test('its function compiles, and answers from a backup', () => {
    succeeded(runExamples('apps/cli', [recipe!], { compileOnly: true }))
    succeeded(run('sqlstream', ['replicate', 'app.db', 'backup', '--once']))
    const code = `${recipe!.code
      .replaceAll('s3Driver', 'fileDriver')
      .replace('storage-s3', 'storage-file')
      .replace("process.env['REPLICA'] ?? ''", `'file://${join(folder, 'backup')}'`)}
      for (const id of [2, 1]) console.log(JSON.stringify(await handler({ id })))
      await (await opening)?.close()\n`
    const outcome = runExamples('apps/cli', [{ ...recipe!, code }])
    succeeded(outcome)
    expect(outcome.output).toContain('{"id":2,"text":"second"}\n{"id":1,"text":"first"}\n')
  })
})

describe('docs/fork.md', () => {
  const recipe = codeBlocks(readText('docs/fork.md')).filter((block) => block.language === 'sh')

  test('its recipe runs: checkpoint, try, compare, back', () => {
    const sqlite = join(ROOT, 'node_modules/better-sqlite3')
    const step = `require(${JSON.stringify(sqlite)})(process.argv[2]).exec('DELETE FROM note WHERE id > 1')`
    writeFileSync(join(folder, 'risky-step'), `#!/usr/bin/env node\n${step}\n`, { mode: 0o755 })
    const outcome = runExamples('apps/cli', recipe)
    succeeded(outcome)
    expect(outcome.output).toMatch(/begins with TXID 0000000000000001/)
    expect(outcome.output).toMatch(/note: 0 added, 1 removed, 0 changed/)
    expect(outcome.output).toMatch(/undo with: sqlstream rollback try --txid 0000000000000002/)
  })
})

test('links between documents lead to files that exist', () => {
  const tracked = new Set(trackedFiles(/./))
  const dead = trackedFiles(/\.md$/).flatMap((file) =>
    [...readText(file).matchAll(/\]\((?!https?:|#|mailto:)([^)#\s]+)/g)]
      .map((match) => join(dirname(file), match[1] ?? ''))
      .filter(
        (target) =>
          !tracked.has(target) &&
          ![...tracked].some((each) => each.startsWith(`${target.replace(/\/$/, '')}/`)),
      )
      .map((target) => `${file}: ${target}`),
  )
  expect(dead).toEqual([])
})

test('docs/reliability.md lists every scenario once and is up to date with the tests', () => {
  const text = readText('docs/reliability.md')
  const ids = tableRows(text)
    .map(([id]) => id)
    .filter((id) => /^T\d\d$/.test(id ?? ''))
  const expected = Array.from({ length: 75 }, (_, i) => i + 1).filter((n) => n < 55 || n > 59)
  expect(ids).toEqual(expected.map((n) => `T${String(n).padStart(2, '0')}`))
  expect(text).toBe(fillScenarios(text, testTitles()))
})
