import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { PackedPackages } from './support/pack.ts'
import { tool } from './support/workspace.ts'

const packed = new PackedPackages()
const { folder, packages } = packed
const tarball = (name: string): string => packed.tarball(name)

afterAll(() => {
  packed[Symbol.dispose]()
})

describe.each(packages)('$manifest.name, packed', ({ manifest }) => {
  const list = (): string[] =>
    execFileSync('tar', ['-tzf', tarball(manifest.name)], { encoding: 'utf8' })
      .trim()
      .split('\n')

  test('passes publint --strict', () => {
    const { status, stdout } = spawnSync(tool('publint'), ['run', '--strict', tarball(manifest.name)], {
      encoding: 'utf8',
    })
    expect(stdout).toMatch(/All good/)
    expect(status).toBe(0)
  })

  test('holds what was built, a README and a license, no sources and no tests', () => {
    const files = list()
    expect(files).toEqual(
      expect.arrayContaining(['package/package.json', 'package/README.md', 'package/LICENSE']),
    )
    expect(files.filter((file) => /^package\/(src|test|node_modules)\/|tsbuildinfo$/.test(file))).toEqual([])
    expect(files.some((file) => file.startsWith('package/dist/') && file.endsWith('.js'))).toBe(true)
  })

  test('depends on versions, not on the workspace', () => {
    const text = execFileSync('tar', ['-xzOf', tarball(manifest.name), 'package/package.json'], {
      encoding: 'utf8',
    })
    expect(text).not.toMatch(/"(workspace|catalog):/)
    expect(text).not.toContain('@sqlstream/source')
  })

  test('passes attw for ES modules', () => {
    const { status, stdout } = spawnSync(tool('attw'), ['--profile', 'esm-only', tarball(manifest.name)], {
      encoding: 'utf8',
    })
    expect(stdout).toMatch(/node16 \(from ESM\).*🟢 \(ESM\)/)
    expect(status).toBe(0)
  })
})

test('publint and attw refuse a packed file whose exports lead nowhere', () => {
  const broken = join(folder, 'broken')
  mkdirSync(broken)
  writeFileSync(join(broken, 'index.js'), 'export const there = 1\n')
  writeFileSync(join(broken, 'index.d.ts'), 'export declare const there: 1\n')
  const nowhere = { types: './none.d.ts', default: './none.js' }
  const exports = { '.': { types: './index.d.ts', default: './index.js' }, './sub': nowhere }
  const manifest = { name: 'broken', version: '1.0.0', type: 'module', exports }
  writeFileSync(join(broken, 'package.json'), JSON.stringify(manifest))
  execFileSync('npm', ['pack', '--pack-destination', folder], { cwd: broken, stdio: 'pipe' })
  const file = join(folder, 'broken-1.0.0.tgz')
  expect(spawnSync(tool('publint'), ['run', '--strict', file]).status).not.toBe(0)
  expect(spawnSync(tool('attw'), ['--profile', 'esm-only', file]).status).not.toBe(0)
})

describe('installed with npm from the packed files into an empty folder', () => {
  const home = join(folder, 'empty')
  const bin = join(home, 'node_modules/.bin/sqlstream')

  beforeAll(() => {
    mkdirSync(home)
    writeFileSync(join(home, 'package.json'), '{ "name": "empty", "private": true }\n')
    const tarballs = packages.map(({ manifest }) => tarball(manifest.name))
    execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', ...tarballs], {
      cwd: home,
      stdio: 'pipe',
    })
  })

  test('the command shows its help and its version', () => {
    expect(
      execFileSync('npx', ['--no-install', 'sqlstream', '--help'], { cwd: home, encoding: 'utf8' }),
    ).toMatch(/replicate/)
    expect(execFileSync(bin, ['--version'], { encoding: 'utf8' })).toMatch(/^@sqlstream\/cli\/\d/)
  })

  test('the command replicates a database and restores it', () => {
    const path = join(home, 'app.db')
    const db = new Database(path)
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY, v TEXT)')
    db.exec(`INSERT INTO t (v) VALUES ('one'), ('two'), ('three')`)
    execFileSync(bin, ['replicate', path, join(home, 'backup'), '--once'], { stdio: 'pipe' })
    execFileSync(bin, ['restore', join(home, 'backup'), '-o', join(home, 'copy.db')], { stdio: 'pipe' })
    db.close()
    const copy = new Database(join(home, 'copy.db'), { readonly: true })
    expect(copy.prepare('SELECT v FROM t ORDER BY n').pluck().all()).toEqual(['one', 'two', 'three'])
    copy.close()
  })

  test('a program replicates a database with it', () => {
    const path = join(home, 'library.db')
    const script = `
      import { replicate } from '@sqlstream/cli'
      await using replication = await replicate({ database: ${JSON.stringify(path)}, url: ${JSON.stringify(join(home, 'library'))} })
      console.log(typeof (await replication.durable()).txid)`
    const db = new Database(path)
    db.pragma('journal_mode = WAL')
    db.exec('CREATE TABLE t (n INTEGER PRIMARY KEY)')
    writeFileSync(join(home, 'program.mjs'), script)
    expect(execFileSync(process.execPath, [join(home, 'program.mjs')], { encoding: 'utf8' })).toBe('bigint\n')
    db.close()
  })

  test('the libraries can be imported', () => {
    const names = packages.map((each) => each.manifest.name)
    const entries = [
      '@sqlstream/replica/node',
      '@sqlstream/ltx/lz4',
      '@sqlstream/ltx/pool',
      '@sqlstream/ltx/small-files',
    ]
    const script = `for (const name of ${JSON.stringify([...names, ...entries])}) await import(name)`
    execFileSync(process.execPath, ['--input-type=module', '-e', script], { cwd: home, stdio: 'pipe' })
    expect(existsSync(join(home, 'node_modules/@sqlstream/testkit'))).toBe(false)
  })
})
