import { execFile, execFileSync } from 'node:child_process'
import { cpSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { KVServer } from '../examples/driver-template/test/kv-server.ts'
import { PackedPackages } from './support/pack.ts'
import { ROOT, readText, tool, trackedFiles } from './support/workspace.ts'

// The template of a driver is what others have: no workspace, only what is packed. So it is built, tested and used as they do.

const EXAMPLE = 'examples/driver-template'
const TOKEN = 'a-secret-token'
const exec = promisify(execFile)

const packed = new PackedPackages()
const driver = join(packed.folder, 'driver')
const home = join(packed.folder, 'home')
let server: KVServer

function npm(folder: string, ...args: string[]): string {
  return execFileSync('npm', args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' })
}

/** The installed command, in the folder of the configuration. */
async function sqlstream(...args: string[]): Promise<string> {
  const env = { ...process.env, KV_TOKEN: TOKEN }
  const { stdout, stderr } = await exec(join(home, 'node_modules/.bin/sqlstream'), args, { cwd: home, env })
  expect(stderr).toBe('')
  return stdout
}

beforeAll(async () => {
  server = await KVServer.start(TOKEN)
  for (const file of trackedFiles(new RegExp(`^${EXAMPLE}/`))) {
    cpSync(join(ROOT, file), join(driver, file.slice(EXAMPLE.length)))
  }
  // The tools are the repository's; what is tried is whether the packages suffice.
  const { devDependencies, ...manifest } = JSON.parse(readText(`${EXAMPLE}/package.json`)) as {
    devDependencies: Record<string, string>
  }
  writeFileSync(join(driver, 'package.json'), JSON.stringify(manifest))
  const ours = ['@sqlstream/storage', '@sqlstream/storage-conformance']
  npm(driver, 'install', '--no-save', '--no-audit', '--no-fund', ...ours.map((name) => packed.tarball(name)))
  for (const name of Object.keys(devDependencies).filter((each) => !ours.includes(each))) {
    const link = join(driver, 'node_modules', name)
    mkdirSync(dirname(link), { recursive: true })
    symlinkSync(join(ROOT, 'node_modules', name), link)
  }
})

afterAll(async () => {
  await server[Symbol.asyncDispose]()
  packed[Symbol.dispose]()
})

test('the template builds, and its tests are typed', () => {
  for (const project of ['tsconfig.build.json', 'tsconfig.json']) {
    execFileSync(tool('tsc'), ['-p', project, '--pretty', 'false'], { cwd: driver, stdio: 'pipe' })
  }
  expect(readFileSync(join(driver, 'dist/index.d.ts'), 'utf8')).toContain('kvDriver as driver')
})

test('the template passes its tests, with every clause that such a service can show', async () => {
  const report = join(packed.folder, 'report.json')
  // Nothing of the surrounding test run.
  const env = { PATH: process.env['PATH'], HOME: process.env['HOME'] }
  const args = ['run', '--reporter=json', `--outputFile=${report}`]
  const run = await exec(tool('vitest'), args, { cwd: driver, env }).catch((error: unknown) => error)
  const result = JSON.parse(readFileSync(report, 'utf8')) as VitestReport
  const failed = result.testResults.flatMap(({ message, assertionResults }) => [
    message,
    ...assertionResults.filter(({ status }) => status === 'failed').map(({ title }) => title),
  ])
  expect({ failed: failed.filter((text) => text !== ''), run }).toEqual({
    failed: [],
    run: expect.anything(),
  })
  // Skipped: a store without conditional puts, a bucket that does not exist, and copies, which this service does not make.
  expect(result).toMatchObject({ success: true, numPendingTests: 12 })
  expect(result.numPassedTests).toBeGreaterThan(60)
})

interface VitestReport {
  readonly success: boolean
  readonly numPassedTests: number
  readonly numPendingTests: number
  readonly testResults: readonly {
    readonly message: string
    readonly assertionResults: readonly { readonly status: string; readonly title: string }[]
  }[]
}

test('the command line loads it from beside the configuration: check, replicate, restore', async () => {
  npm(driver, 'pack', '--ignore-scripts', '--pack-destination', packed.folder)
  mkdirSync(home)
  writeFileSync(join(home, 'package.json'), '{ "name": "home", "private": true }\n')
  const tarballs = packed.packages.map(({ manifest }) => packed.tarball(manifest.name))
  const all = [...tarballs, packed.tarball('sqlstream-driver-kv')]
  npm(home, 'install', '--no-audit', '--no-fund', '--prefer-offline', ...all)

  const db = new Database(join(home, 'app.db'))
  db.pragma('journal_mode = WAL')
  db.exec(`CREATE TABLE t (v TEXT); INSERT INTO t VALUES ('one'), ('two'), ('three')`)
  const url = `kv://${server.host}/backups/app`
  writeFileSync(
    join(home, 'sqlstream.yml'),
    `drivers: [sqlstream-driver-kv]\ndatabases:\n  - path: app.db\n    url: ${url}\n    env: { KV_TOKEN: ${TOKEN} }\n`,
  )
  expect(await sqlstream('config', 'check')).toMatch(/right: 1 database/)
  expect(await sqlstream('config', 'show')).not.toContain(TOKEN)
  expect(await sqlstream('replicate', '--once')).toMatch(/everything is in the replica/)
  expect(server.keys.filter((key) => key.endsWith('.ltx'))).toEqual([
    expect.stringMatching(/^backups\/app\/ltx\/9\/.*\.ltx$/),
  ])
  db.close()
  await sqlstream('restore', url, '-o', 'copy.db')
  const copy = new Database(join(home, 'copy.db'), { readonly: true })
  expect(copy.prepare('SELECT v FROM t').pluck().all()).toEqual(['one', 'two', 'three'])
  copy.close()

  const before = server.keys
  expect(await sqlstream('storage', 'check', url, '--quick')).toMatch(
    /driver kv\)\nconditional puts: claimed and honoured\n(?:.*\n)*.*: keeps the contract as far as it was tried\n$/,
  )
  expect(server.keys).toEqual(before)
})
