import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { S3Store } from '@sqlstream/storage-s3'
import { type GoldenStep, goldenFolderOrReason, loadGoldenGenerations, TempFolder } from '@sqlstream/testkit'
import { FakeS3 } from '@sqlstream/testkit/servers'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { App } from './support/app.ts'
import { type CLIResult, runCLI } from './support/run-cli.ts'

const OLD = '3131c0b75e8911ca'
const NEW = '75d8dfcb0273bede'

const found = goldenFolderOrReason()

test('the golden backup of Litestream 0.3 is there', () => {
  expect(found, 'set SQLSTREAM_SHARED').toHaveProperty('folder')
})

/** Every table of a database as text. */
function tablesOf(database: Database.Database): string {
  const names = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`).pluck()
  const tables = (names.all() as string[]).map((name) => [
    name,
    database.prepare(`SELECT * FROM "${name}"`).all(),
  ])
  database.close()
  return JSON.stringify(tables)
}

describe.skipIf('reason' in found)('restore from a backup of Litestream 0.3', () => {
  const folder = new TempFolder('cli-generations')
  const backup = folder.join('backup')
  let golden: ReturnType<typeof loadGoldenGenerations>
  let targets = 0

  beforeAll(() => {
    golden = loadGoldenGenerations('folder' in found ? found.folder : '')
    golden.copyReplica(backup)
  })

  afterAll(() => folder.remove())

  function expected(step: number): string {
    const database = new Database(':memory:')
    database.exec(golden.dump(golden.steps[step - 1] as GoldenStep))
    return tablesOf(database)
  }

  async function restore(url: string, ...flags: string[]): Promise<CLIResult & { tables: string }> {
    const path = folder.join(`target-${targets++}.db`)
    const result = await runCLI(['restore', url, '-o', path, ...flags])
    const tables = existsSync(path) ? tablesOf(new Database(path, { readonly: true })) : ''
    return { ...result, tables }
  }

  test('gives the newest state and says where it is from', async () => {
    const { status, stdout, stderr, tables } = await restore(backup)
    expect({ status, stderr }).toEqual({ status: EXIT.ok, stderr: '' })
    expect(tables).toBe(expected(12))
    expect(stdout.split('\n')).toEqual([
      expect.stringMatching(
        `^restored .*\\.db from generation ${NEW} of Litestream 0\\.3: .* from 5 files in `,
      ),
      'state of 2026-11-23T16:55:45.696Z',
      'every checksum is right (Litestream 0.3 does not record where a WAL ends); SQLite quick check passed',
      '',
    ])
  })

  test.each([1, 4, 6, 9, 10])('gives state %i by an instant, and says how far before it is', async (step) => {
    const at = new Date(golden.steps[step - 1]?.safeTimestampMs ?? 0).toISOString()
    const { status, stdout, tables } = await restore(`file://${backup}`, '--timestamp', at, '--check', 'full')
    expect(status).toBe(EXIT.ok)
    expect(stdout).toMatch(/before the time asked for\n/)
    expect(tables).toBe(expected(step))
  })

  test('gives a generation that is named, also from S3', async () => {
    expect((await restore(backup, '--generation', OLD)).tables).toBe(expected(9))
    await using s3 = await FakeS3.start()
    await using store = await S3Store.open({
      bucket: 'bucket',
      endpoint: s3.url,
      region: 'us-east-1',
      credentials: { accessKeyId: 'id', secretAccessKey: 'secret' },
    })
    for (const file of golden.files) await store.put(`app/${file.path}`, golden.read(file))
    s3.traffic()
    const url = `s3://bucket/app?endpoint=${encodeURIComponent(s3.url)}&region=us-east-1&force-path-style=true`
    const env = { AWS_ACCESS_KEY_ID: 'id', AWS_SECRET_ACCESS_KEY: 'secret' }
    for (const [flags, state, objects] of [
      [['--generation', OLD], 9, 10],
      [['--generation', NEW], 12, 5],
    ] as const) {
      s3.plan()
      const path = folder.join(`s3-${state}.db`)
      const { status, stderr } = await runCLI(['restore', url, '-o', path, ...flags], { env })
      expect({ status, stderr }).toEqual({ status: EXIT.ok, stderr: '' })
      expect(tablesOf(new Database(path, { readonly: true }))).toBe(expected(state))
      expect(s3.traffic('ListObjectsV2').requests).toBe(1)
      expect(s3.traffic('GetObject').requests).toBe(objects)
    }
    s3.plan()
    expect((await runCLI(['restore', url, '-o', folder.join('s3.db'), '--dry-run'], { env })).status).toBe(
      EXIT.ok,
    )
    expect(s3.traffic().requests).toBe(2)
  })

  test('--json is valid, for a plan and for a result', async () => {
    const path = folder.join('json.db')
    const args = ['restore', backup, '-o', path, '--generation', OLD, '--json']
    const plan = SCHEMAS.restore.parse(JSON.parse((await runCLI([...args, '--dry-run'])).stdout))
    expect(plan).toMatchObject({ dryRun: true, generation: OLD, database: path, source: backup })
    expect(existsSync(path)).toBe(false)
    const result = SCHEMAS.restore.parse(JSON.parse((await runCLI(args)).stdout))
    expect(result).toMatchObject({
      dryRun: false,
      generation: OLD,
      check: 'quick',
      pages: 63,
      bytes: 63 * 4096,
    })
    expect(result.files).toEqual(plan.files)
    expect(result.files.map(({ name }) => name)).toContain(`generations/${OLD}/wal/00000003_00003068.wal.lz4`)
  })

  test('--dry-run lists what would be read', async () => {
    const { stdout } = await restore(backup, '--dry-run')
    expect(stdout).toMatch(`would restore generation ${NEW} to`)
    expect(stdout).toMatch(/^ {2}generations\/.*00000000\.snapshot\.lz4 {2}9\.\d+ /m)
  })

  test.each([
    ['a TXID', ['--txid', '1'], EXIT.usage, 'has no TXIDs'],
    ['an instant before the first state', ['--timestamp', '2001-01-01T00:00:00Z'], EXIT.notRestorable, ''],
    ['a generation that is not there', ['--generation', 'ab'], EXIT.notFound, `There are ${OLD}, ${NEW}`],
    ['a TXID of a generation', ['--generation', OLD, '--txid', '1'], EXIT.usage, 'has no TXIDs'],
  ])('refuses %s', async (_, flags, exit, message) => {
    const { status, stderr, tables } = await restore(backup, ...flags)
    expect(stderr).toMatch(/^error: [^\n]+ \([a-z-]+\)\nhint: [^\n]+\n$/)
    expect(stderr).toContain(message)
    expect({ status, tables }).toEqual({ status: exit, tables: '' })
  })

  describe('T50: a hole stops the restore with the last good point, which can be restored', () => {
    /** A copy of the backup without the objects below its old generation that match. */
    function without(missing: RegExp): string {
      const holed = folder.join(`holed-${targets++}`)
      golden.copyReplica(holed)
      let removed = 0
      for (const kind of ['wal', 'snapshots'])
        for (const file of readdirSync(join(holed, 'generations', OLD, kind))) {
          if (!missing.test(`${kind}/${file}`)) continue
          rmSync(join(holed, 'generations', OLD, kind, file))
          removed++
        }
      expect(removed).toBeGreaterThan(0)
      return holed
    }

    test.each([
      ['one segment', /wal.00000002_00001038/, 6],
      ['a segment of an earlier index', /wal.00000001_00001038/, 4],
      ['the first segment of an index', /wal.00000002_00000000/, undefined],
      ['one index', /wal.00000002_/, undefined],
    ])('%s is missing', async (_what, missing, step) => {
      const holed = without(missing)
      const { status, stderr, tables } = await restore(holed, '--generation', OLD)
      expect({ status, tables }).toEqual({ status: EXIT.notRestorable, tables: '' })
      const [, time = ''] = /\(gap\)\nhint: .*?(20[\d-]+T[\d:.]+Z)/.exec(stderr) ?? []
      const instant = ['--generation', OLD, '--timestamp', time, '--check', 'full']
      const good = await restore(holed, ...instant)
      expect([good.status, good.stderr]).toEqual([EXIT.ok, ''])
      // Between two steps Litestream itself writes; what it had then, the whole backup says.
      expect(good.tables).toBe((await restore(backup, ...instant)).tables)
      if (step !== undefined) expect(good.tables).toBe(expected(step))
    })

    test.each([
      ['the first segment', /wal.00000000_00000000|snapshots.00000001/],
      ['the first index', /wal.00000000_|snapshots.00000001/],
    ])('%s is missing: there is no good point, and it says so', async (_what, missing) => {
      const { status, stderr, tables } = await restore(without(missing), '--generation', OLD)
      expect({ status, tables }).toEqual({ status: EXIT.notRestorable, tables: '' })
      expect(stderr).toMatch(/\(gap\)\nhint: From that snapshot no state can be restored/)
    })

    test('the first segment is missing, and a later snapshot makes up for it: only states before that are lost', async () => {
      const holed = without(/wal.00000000_00000000/)
      const newest = await restore(holed, '--generation', OLD)
      expect(newest.status).toBe(EXIT.ok)
      expect(newest.tables).toBe((await restore(backup, '--generation', OLD)).tables)
      const at = new Date(golden.steps[0]?.safeTimestampMs ?? 0).toISOString()
      expect(await restore(holed, '--generation', OLD, '--timestamp', at)).toMatchObject({
        status: EXIT.notRestorable,
        tables: '',
      })
    })
  })

  test('LTX files win, the older backup is pointed at and can be asked for', async () => {
    const both = folder.join('both')
    golden.copyReplica(both)
    using app = new App(folder.join('app.db'))
    app.commit()
    await runCLI(['replicate', app.path, both, '--once'])
    expect((await restore(both)).tables).toContain('"entry"')
    expect((await restore(both, '--generation', NEW)).tables).toBe(expected(12))
    const early = await restore(both, '--timestamp', '2026-11-23T16:55:43.077Z')
    expect(early.stderr).toMatch(
      `(target-before-first)\nhint: Older states may be in the backup of Litestream 0.3 beside: --generation ${OLD} or --generation ${NEW}.\n`,
    )
    expect(early.status).toBe(EXIT.notRestorable)
  })

  test('where neither is, the error is that there is no backup', async () => {
    for (const flags of [[], ['--generation', OLD]]) {
      const { status, stderr } = await restore(folder.join('empty'), ...flags)
      expect(stderr).toContain('there is no backup at')
      expect(status).toBe(EXIT.notFound)
    }
  })
})
