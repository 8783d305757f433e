import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { toTXID } from '@sqlstream/ltx'
import { listPins, Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { TempFolder } from '@sqlstream/testkit'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { holdState } from '../src/hold-state.ts'
import { planFrom } from '../src/restore-plan.ts'
import { placesOf } from '../src/restore-tree.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App, contents } from './support/app.ts'
import { RUN, runCLI } from './support/run-cli.ts'

const folder = new TempFolder('ways')
const backup = folder.join('backup')
const old = folder.join('old.db')
let rows = ''

/** Larger than what a pipe holds. */
beforeAll(async () => {
  using app = new App(folder.join('app.db'))
  app.commit(1500)
  await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])
  await runCLI(['restore', backup, '-o', old])
  app.commit(5)
  await runCLI(['replicate', app.path, backup, '--once', '--no-compaction'])
  rows = contents(app.path).rows
})

afterAll(() => folder.remove())

describe('--delta', () => {
  test('brings an older copy up to date and says how much was there already', async () => {
    const path = folder.join('delta.db')
    cpSync(old, path)
    const { status, stdout } = await runCLI(['restore', backup, '-o', path, '--delta', '--json'])
    expect(status).toBe(0)
    const result = SCHEMAS.restore.parse(JSON.parse(stdout))
    if (!('pagesKept' in result)) throw new Error('not a restore')
    expect(result.proven).toBe(true)
    expect(result.pagesKept).toBeGreaterThan(result.pages / 2)
    expect(result.pagesKept).toBeLessThan(result.pages)
    expect(contents(path)).toEqual({ rows, problems: 'ok' })
    // Everything is there now.
    const again = await runCLI(['restore', backup, '-o', path, '--delta'])
    expect(again.stdout).toContain(`${result.pages} of ${result.pages} pages were there already\n`)
  })

  test('of another database, or of none, restores everything', async () => {
    const path = folder.join('other.db')
    {
      using other = new App(path)
      other.commit(3)
    }
    expect((await runCLI(['restore', backup, '-o', path, '--delta'])).status).toBe(0)
    expect(contents(path)).toEqual({ rows, problems: 'ok' })
    const fresh = folder.join('fresh.db')
    const { stdout } = await runCLI(['restore', backup, '-o', fresh, '--delta', '--json'])
    expect(JSON.parse(stdout)).toMatchObject({ pagesKept: 0, proven: true })
  })
})

describe('-o -', () => {
  function bash(script: string, env: Record<string, string> = {}) {
    return spawnSync('bash', ['-o', 'pipefail', '-c', script, process.execPath, RUN, backup], {
      encoding: 'utf8',
      env: { ...process.env, ...env },
    })
  }

  test('writes the database to standard output, words to standard error, and leaves nothing behind', () => {
    const temp = folder.join('temp')
    mkdirSync(temp)
    const { status, stderr, stdout } = bash(`"$0" "$1" restore "$2" -o - > ${folder.join('piped.db')}`, {
      TMPDIR: temp,
    })
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' })
    expect(stderr).toMatch(/^restored - at TXID 0{15}2: [\s\S]*equals the one that was captured/)
    expect(contents(folder.join('piped.db'))).toEqual({ rows, problems: 'ok' })
    expect(readdirSync(temp)).toEqual([])
  })

  test('whose reader goes away is an error without a stack trace', () => {
    const { status, stderr } = bash(
      `"$0" "$1" restore "$2" -o - | head -c 1 > /dev/null; exit "\${PIPESTATUS[0]}"`,
    )
    expect(stderr).toMatch(/^error: standard output was closed [^\n]* \(output-closed\)\n$/)
    expect(status).toBe(EXIT.interrupted)
  })

  test('of a damaged replica writes nothing at all', () => {
    const damaged = folder.join('damaged')
    cpSync(backup, damaged, { recursive: true })
    const file = join(damaged, 'ltx/9', readdirSync(join(damaged, 'ltx/9'))[0] ?? '')
    const bytes = readFileSync(file)
    bytes[20_000] = (bytes[20_000] ?? 0) ^ 1
    writeFileSync(file, bytes)
    const { status, stdout } = spawnSync(process.execPath, [RUN, 'restore', damaged, '-o', '-'])
    expect(status).toBe(EXIT.corrupt)
    expect(stdout.length).toBe(0)
  })

  test.each([['--json'], ['--delta'], ['--tree']])('goes not together with %s', async (flag) => {
    const { status, stderr } = await runCLI(['restore', backup, '-o', '-', flag])
    expect(stderr).toMatch(/\(usage\)\nhint: /)
    expect(status).toBe(EXIT.usage)
  })

  test.runIf(spawnSync('script', ['--version']).status === 0)('is refused on a terminal', () => {
    const command = `${process.execPath} ${RUN} restore ${backup} -o -`
    const { stdout } = spawnSync('script', ['-qec', command, '/dev/null'], { encoding: 'utf8' })
    expect(stdout).toMatch(/standard output is a terminal.*\(usage\)/)
  })
})

describe('--tree', () => {
  const tree = folder.join('tree')
  const restored = folder.join('restored')

  beforeAll(() => {
    for (const name of ['a', 'tenants/b.sqlite', 'tenants/c'])
      cpSync(backup, join(tree, name), { recursive: true })
    mkdirSync(join(tree, 'notes'))
    writeFileSync(join(tree, 'notes/readme.txt'), 'not a replica')
  })

  test('restores every replica below a URL', async () => {
    const plan = await runCLI(['restore', '--tree', tree, '-o', restored, '--dry-run', '--json'])
    expect(SCHEMAS['restore-tree'].parse(JSON.parse(plan.stdout))).toMatchObject({ dryRun: true, failed: 0 })
    expect(existsSync(restored)).toBe(false)
    const { status, stdout } = await runCLI(['restore', '--tree', tree, '-o', restored, '--json'])
    expect(status).toBe(0)
    const result = SCHEMAS['restore-tree'].parse(JSON.parse(stdout))
    expect(result.databases.map(({ replica, database }) => [replica, database])).toEqual([
      ['a', join(restored, 'a.db')],
      ['tenants/b.sqlite', join(restored, 'tenants/b.sqlite')],
      ['tenants/c', join(restored, 'tenants/c.db')],
    ])
    for (const { database, ok, proven } of result.databases) {
      expect({ ok, proven }).toEqual({ ok: true, proven: true })
      expect(contents(database)).toEqual({ rows, problems: 'ok' })
    }
  })

  test('one that fails does not keep the others from it, and decides the exit code', async () => {
    const broken = join(tree, 'tenants/c/ltx/9')
    rmSync(broken, { recursive: true })
    rmSync(join(restored, 'a.db'))
    const { status, stdout } = await runCLI(['restore', '--tree', tree, '-o', restored, '--force'])
    expect(status).toBe(EXIT.notFound)
    expect(stdout).toMatch(/^DATABASE +TXID +STATE OF +BYTES\n/)
    expect(stdout).toMatch(/\nfailed: \S+tenants\/c\.db: .* \(no-snapshot\)\n/)
    expect(stdout).toMatch(/\nrestored 2 databases of .*; 1 failed\n$/)
    expect(contents(join(restored, 'a.db')).rows).toBe(rows)
  })

  test('never touches what exists, unless told', async () => {
    const { status, stdout } = await runCLI(['restore', '--tree', join(tree, 'a'), '-o', restored, '--json'])
    expect(SCHEMAS['restore-tree'].parse(JSON.parse(stdout)).databases).toMatchObject([
      { replica: '', database: join(restored, 'a.db'), ok: false, error: { code: 'target-exists' } },
    ])
    expect(status).toBe(EXIT.targetExists)
  })

  test('where no replica is it says so', async () => {
    const { status, stderr } = await runCLI(['restore', '--tree', join(tree, 'notes'), '-o', restored])
    expect(stderr).toMatch(/there is no replica below .* \(no-backup\)/)
    expect(status).toBe(EXIT.notFound)
  })

  test.each([[['../a']], [['a//b']], [['a', 'a.db']], [['x/./y']]])(
    'paths that would leave the folder or meet are refused: %j',
    (replicas) => {
      expect(() => placesOf(replicas, '/out', 'x')).toThrow(/no path for a file|would both be restored/)
    },
  )
})

describe('files that retention will remove', () => {
  async function doomed() {
    const path = folder.join('doomed')
    rmSync(path, { recursive: true, force: true })
    cpSync(backup, path, { recursive: true })
    const replica = new Replica(new FileStore(path))
    const catalog = await replica.catalog()
    const capture = catalog.levels.get(0)![0]!
    // The same capture in level 1, which is the dearer way only by being doomed.
    mkdirSync(join(path, 'ltx/1'))
    cpSync(join(path, capture.key), join(path, capture.key.replace('/0/', '/1/')))
    return { path, replica, key: capture.key.replace('/0/', '/1/') }
  }

  test('are avoided where another way leads to the same state', async () => {
    const { path, replica, key } = await doomed()
    const names = async () => {
      const { plan } = await planFrom(replica, await replica.catalog(), { kind: 'latest' }, {})
      return plan.files.map(({ level }) => level)
    }
    expect(await names()).toEqual([9, 1])
    const record = { version: 1, doomed: [{ since: '2026-11-24T00:00:00.000Z', files: [key] }] }
    writeFileSync(join(path, '.sqlstream/doomed.json'), JSON.stringify(record))
    expect(await names()).toEqual([9, 0])
  })

  test('do not go while a long restore holds its state; a short one puts no pin', async () => {
    const { replica } = await doomed()
    const planned = await planFrom(replica, await replica.catalog(), { kind: 'latest' }, {})
    const short = await holdState(replica, planned, {})
    expect(short.planned).toBe(planned)
    expect(await listPins(replica.store)).toEqual([])
    const held = await holdState(replica, planned, { longFromBytes: 1 })
    expect(await listPins(replica.store)).toMatchObject([
      { txid: toTXID(2n), reason: expect.stringMatching(/^sqlstream restore on /) },
    ])
    expect(held.planned.plan.files.map(({ key }) => key)).toEqual(planned.plan.files.map(({ key }) => key))
    await held.release()
    expect(await listPins(replica.store)).toEqual([])
  })

  test('a bucket that may only be read is no obstacle to a long restore', async () => {
    const { replica } = await doomed()
    const readOnly = new Replica({
      ...replica.store,
      driver: replica.store.driver,
      capabilities: replica.store.capabilities,
      list: (options) => replica.store.list(options),
      get: (key, options) => replica.store.get(key, options),
      head: (key, options) => replica.store.head(key, options),
      put: () => Promise.reject(new Error('no')),
      delete: () => Promise.reject(new Error('no')),
      [Symbol.asyncDispose]: async () => {},
    })
    const planned = await planFrom(readOnly, await readOnly.catalog(), { kind: 'latest' }, {})
    const held = await holdState(readOnly, planned, { longFromBytes: 1 })
    expect(held.planned).toBe(planned)
    await held.release()
  })
})
