import { mkdirSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { EXIT } from '../src/exit-codes.ts'
import { SCHEMAS } from '../src/schema.ts'
import { ask, ControlScene } from './support/control-scene.ts'
import { FaultyFolder } from './support/faulty-driver.ts'
import { type ParsedFamily, parseExposition } from './support/parse-exposition.ts'
import type { CLIProcess } from './support/run-cli.ts'
import { writeFile } from './support/write-file.ts'

let scene: ControlScene

beforeEach(() => {
  scene = new ControlScene()
})

afterEach(async () => {
  await scene[Symbol.asyncDispose]()
})

/** The port that a process has chosen. */
async function portOf(cli: CLIProcess): Promise<number> {
  const line = await cli.line(/"type":"metrics"/)
  return Number(new URL((JSON.parse(line) as { url: string }).url).port)
}

/** What a process says, by metric. */
class Figures {
  readonly families: Map<string, ParsedFamily>

  constructor(text: string) {
    this.families = parseExposition(text)
  }

  static async of(at: Parameters<typeof ask>[0]): Promise<Figures> {
    const answer = await ask(at, 'GET', '/metrics')
    expect(answer.status).toBe(200)
    expect(answer.type).toBe('text/plain; version=0.0.4; charset=utf-8')
    return new Figures(answer.text)
  }

  /** One number; undefined when it is absent. */
  at(sample: string): number | undefined {
    const name = sample.split('{')[0]?.replace(/_(bucket|sum|count)$/, '') ?? ''
    const family = this.families.get(name) ?? this.families.get(sample.split('{')[0] ?? '')
    return family?.samples.get(sample)
  }
}

const MAX_LAG = 'sqlstream_lag_seconds{quantile="1"}'
const OLDEST = 'sqlstream_oldest_unreplicated_commit_timestamp_seconds'

describe('metrics', () => {
  test('are on this machine alone and at the control socket, and count what was done', async () => {
    const app = scene.database('app.db')
    const cli = await scene.replicate('app.db', 'backup', '--metrics', '0', '--socket', 's.sock')
    app.commit(5)
    await scene.json('sync', 'app.db', '--socket', 's.sock')
    const port = await portOf(cli)
    expect(await cli.line(/"type":"metrics"/)).toContain('http://127.0.0.1:')
    const figures = await Figures.of({ port })
    expect(figures.at('sqlstream_databases{state="open"}')).toBe(1)
    expect(figures.at('sqlstream_databases{state="fenced"}')).toBe(0)
    expect(figures.at(MAX_LAG)).toBe(0)
    expect(figures.at(OLDEST)).toBeUndefined()
    expect(figures.at('sqlstream_uploads_total{kind="snapshot"}')).toBe(1)
    expect(figures.at('sqlstream_uploads_total{kind="capture"}')).toBeGreaterThanOrEqual(1)
    expect(figures.at('sqlstream_uploaded_bytes_total{kind="capture"}')).toBeGreaterThan(0)
    expect(figures.at('sqlstream_storage_requests_total{operation="put"}')).toBeGreaterThan(1)
    expect(figures.at('sqlstream_storage_request_duration_seconds_count{operation="put"}')).toBe(
      figures.at('sqlstream_storage_requests_total{operation="put"}'),
    )
    expect(figures.at('sqlstream_databases_unproven')).toBe(1)
    expect(figures.at('sqlstream_write_lock_hold_seconds_count')).toBeGreaterThanOrEqual(0)
    expect([...figures.families.keys()].filter((name) => name.startsWith('sqlstream_database_'))).toEqual([])
    // Nothing but reading them.
    expect((await ask({ port }, 'POST', '/metrics')).status).toBe(404)
    expect((await ask({ port }, 'GET', '/v1/status')).status).toBe(404)
    expect((await ask({ port }, 'POST', '/v1/stop', '{"database":"/a"}')).status).toBe(404)
    const beside = await Figures.of({ socketPath: scene.socket })
    expect([...beside.families.keys()].sort()).toEqual([...figures.families.keys()].sort())
  })

  test('while the store is down the lag grows from the first commit on, and is 0 again when it is back', async () => {
    const app = scene.database('app.db')
    const store = new FaultyFolder(scene.folder)
    const cli = await scene.replicate('app.db', store.url('backup'), '--metrics', '0')
    const port = await portOf(cli)
    await scene.json('sync', 'app.db')
    store.begin('refuse-files')
    const before = Date.now() / 1000
    app.commit()
    await cli.line(/"type":"failed","operation":"upload"/)
    const first = await Figures.of({ port })
    expect(first.at(OLDEST)).toBeGreaterThanOrEqual(before - 0.1)
    expect(first.at(OLDEST)).toBeLessThanOrEqual(Date.now() / 1000)
    expect(first.at('sqlstream_spool_files')).toBe(1)
    expect(first.at('sqlstream_spool_bytes')).toBeGreaterThan(0)
    expect(first.at('sqlstream_databases_lagging')).toBe(1)
    expect(first.at('sqlstream_errors_total{operation="upload",code="unavailable"}')).toBeGreaterThanOrEqual(
      1,
    )
    app.commit()
    await cli.line(/"retryInMs":400/)
    const second = await Figures.of({ port })
    // Later commits do not make it look younger.
    expect(second.at(OLDEST)).toBe(first.at(OLDEST))
    expect(second.at(MAX_LAG)).toBeGreaterThan(first.at(MAX_LAG) ?? 0)
    store.end('refuse-files')
    await scene.json('sync', 'app.db')
    const healed = await Figures.of({ port })
    expect(healed.at(MAX_LAG)).toBe(0)
    expect(healed.at(OLDEST)).toBeUndefined()
    expect(healed.at('sqlstream_spool_files')).toBe(0)
  })

  test('another start goes on with the lag that the last one had', async () => {
    const app = scene.database('app.db')
    const store = new FaultyFolder(scene.folder)
    const killed = await scene.replicate('app.db', store.url('backup'))
    await scene.json('sync', 'app.db')
    store.begin('refuse-files')
    const before = Date.now() / 1000
    app.commit()
    await killed.line(/"type":"failed","operation":"upload"/)
    const after = Date.now() / 1000
    killed.child.kill('SIGKILL')
    await killed.result
    const port = await portOf(await scene.replicate('app.db', store.url('backup'), '--metrics', '0'))
    const figures = await Figures.of({ port })
    expect(figures.at(OLDEST)).toBeGreaterThanOrEqual(before - 0.1)
    expect(figures.at(OLDEST)).toBeLessThanOrEqual(after)
  })

  test('a database that is fenced, stopped or cannot be opened never counts as up to date', {
    timeout: 180_000,
  }, async () => {
    mkdirSync(scene.folder.join('data'))
    for (const name of ['fenced', 'stopped', 'bad', 'good']) scene.database(`data/${name}.db`)
    writeFile(scene.folder, 'data/.bad.db-sqlstream', 'a file where its state should be')
    const words = ['--watch', 'data', 'backup', '--lease-ttl', '3s', '--metrics', '0']
    const cli = await scene.replicate(...words, '--metrics-per-database')
    const port = await portOf(cli)
    await cli.line(/bad\.db.*"type":"failed","operation":"open"/)
    await scene.json('sync', 'data/fenced.db')
    await scene.json('sync', 'data/good.db')
    await scene.json('stop', 'data/stopped.db')
    await scene.json('lease', 'steal', 'backup/fenced.db')
    while ((await scene.run('sync', 'data/fenced.db')).status === 0) scene.database('data/fenced.db', 1)
    expect(JSON.parse((await ask({ port }, 'GET', '/healthz')).text)).toMatchObject({
      status: 'fenced',
      databases: 4,
    })
    const figures = await Figures.of({ port })
    const lag = (name: string): number | undefined =>
      figures.at(`sqlstream_database_lag_seconds{database="${scene.folder.join('data', `${name}.db`)}"}`)
    expect(lag('good')).toBe(0)
    for (const name of ['fenced', 'stopped', 'bad']) expect(lag(name)).toBeGreaterThan(0)
    for (const state of ['fenced', 'stopped', 'failed'])
      expect(figures.at(`sqlstream_databases{state="${state}"}`)).toBe(1)
    expect(figures.at('sqlstream_databases_lagging')).toBe(3)
    expect(
      figures.at(`sqlstream_database_state{database="${scene.folder.join('data/bad.db')}",state="failed"}`),
    ).toBe(1)
    expect(figures.families.get('sqlstream_database_uploaded_txid')?.samples.size).toBeGreaterThanOrEqual(2)
  })

  test('of many databases are as many lines as of one', async () => {
    mkdirSync(scene.folder.join('data'))
    scene.database('data/0.db', 1)
    const one = await scene.replicate('--watch', 'data', 'backup', '--metrics', '0', '--socket', 's.sock')
    await scene.json('sync', 'data/0.db', '--socket', 's.sock')
    const few = await ask({ port: await portOf(one) }, 'GET', '/metrics')
    for (let i = 1; i < 40; i++) scene.database(`data/${i}.db`, 1)
    await one.line(/39\.db.*"type":"snapshotted"/)
    await scene.json('sync', 'data/1.db', '--socket', 's.sock')
    const many = await ask({ port: await portOf(one) }, 'GET', '/metrics')
    expect(parseExposition(many.text).size).toBeLessThanOrEqual(parseExposition(few.text).size + 1)
    expect(many.text.length).toBeLessThan(few.text.length * 1.5)
  })

  test('tell what was proven restorable', async () => {
    const app = scene.database('app.db')
    const words = ['--verify-every', '1h', '--verify-budget', '1GB', '--metrics', '0']
    const cli = await scene.replicate('app.db', 'backup', ...words)
    app.commit()
    await cli.line(/"type":"verified"/)
    const figures = await Figures.of({ port: await portOf(cli) })
    const now = Date.now() / 1000
    expect(figures.at('sqlstream_oldest_proven_restore_timestamp_seconds')).toBeLessThanOrEqual(now)
    expect(figures.at('sqlstream_newest_proven_restore_timestamp_seconds')).toBeGreaterThan(now - 600)
    expect(figures.at('sqlstream_databases_unproven')).toBe(0)
    expect(figures.at('sqlstream_verifications_total{outcome="proven"}')).toBeGreaterThanOrEqual(1)
  })

  test('come from the configuration, a port that is taken is an error, and so is no address', async () => {
    scene.database('app.db')
    const text = 'metrics: { listen: 0, perDatabase: true }\ndatabases:\n  - { path: app.db, url: backup }\n'
    writeFile(scene.folder, 'sqlstream.yml', text)
    expect(await scene.json('config', 'show')).toMatchObject({ metrics: { listen: '0', perDatabase: true } })
    const port = await portOf(await scene.replicate())
    expect((await Figures.of({ port })).families.has('sqlstream_database_state')).toBe(true)
    const taken = await scene.run('replicate', '--metrics', String(port), '--no-socket')
    expect(taken.stderr).toMatch(/another process listens at 127\.0\.0\.1:\d+ \(address-in-use\)\nhint: /)
    expect(taken.status).toBe(EXIT.conflict)
    writeFile(scene.folder, 'sqlstream.yml', text.replace('listen: 0', 'listen: ":9090"'))
    expect((await scene.run('config', 'check')).stdout).toMatch(/:1: metrics makes no sense: not an address/)
  })

  test('/healthz is 200 while every database is replicated, and says what it is when not', async () => {
    const app = scene.database('app.db')
    const store = new FaultyFolder(scene.folder)
    const health = async (port: number, query = ''): Promise<[number, Record<string, unknown>]> => {
      const { status, text, type } = await ask({ port }, 'GET', `/healthz${query}`)
      expect(type).toBe('application/json')
      return [status, SCHEMAS.health.parse(JSON.parse(text))]
    }
    const cli = await scene.replicate('app.db', store.url('backup'), '--metrics', '0', '--socket', 's.sock')
    const port = await portOf(cli)
    await scene.json('sync', 'app.db', '--socket', 's.sock')
    await expect.poll(() => health(port)).toEqual([200, { status: 'ok', databases: 1, lagSeconds: 0 }])
    expect((await ask({ port }, 'HEAD', '/healthz')).status).toBe(200)
    expect((await ask({ port }, 'GET', '/healthz?maxLag=soon')).status).toBe(400)
    expect((await ask({ port }, 'POST', '/healthz')).status).toBe(404)

    store.begin('refuse-files')
    app.commit()
    await cli.line(/"type":"failed","operation":"upload"/)
    // Five minutes are not over, a millisecond is.
    expect(await health(port)).toMatchObject([200, { status: 'ok' }])
    await expect.poll(() => health(port, '?maxLag=1ms')).toMatchObject([503, { status: 'lagging' }])
    store.end('refuse-files')
    await scene.json('sync', 'app.db', '--socket', 's.sock')
    await scene.json('stop', 'app.db', '--socket', 's.sock')
    expect(await health(port)).toMatchObject([503, { status: 'stopped' }])
  })

  test('/healthz is 503 while a database waits for its lease', async () => {
    scene.database('app.db')
    scene.database('other.db')
    await scene.replicate('app.db', 'backup')
    const words = ['replicate', 'other.db', 'backup', '--wait', '--metrics', '0', '--json']
    const cli = scene.start(...words)
    await cli.line(/"type":"lease","state":"waiting"/)
    const { status, text } = await ask({ port: await portOf(cli) }, 'GET', '/healthz')
    expect([status, JSON.parse(text)]).toMatchObject([503, { status: 'opening', databases: 1 }])
  })
})
