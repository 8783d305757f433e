import { createHash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterAll, beforeEach, describe, expect, test } from 'vitest'
import { isReplicaError, planGeneration, Replica, restoreGeneration } from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'
import { countRequests } from './counting-store.ts'
import { type Content, contentOf } from './database-content.ts'
import { GenerationWriter, lz4Frame } from './generation-writer.ts'
import { MemorySink } from './memory-sink.ts'

const folder = new TempFolder('generation-writer')
afterAll(() => folder.remove())

let runs = 0
let app: Database.Database
let path: string
let now: number
let store: MemoryStore
let writer: GenerationWriter

/** An application's database in WAL mode that is never checkpointed by itself, and an empty store. */
function begin(pageSize = 4096): void {
  path = folder.join(`app-${runs++}.db`)
  app = new Database(path)
  app.pragma(`page_size=${pageSize}`)
  app.pragma('journal_mode=WAL')
  app.pragma('wal_autocheckpoint=0')
  app.exec('CREATE TABLE t(id INTEGER PRIMARY KEY, body BLOB)')
  now = 1000
  // Every object arrives one second after the one before.
  store = new MemoryStore({ now: () => new Date(1000 * now++) })
  writer = new GenerationWriter(store, path)
}

function insert(rows: number, bytes: number): void {
  const statement = app.prepare('INSERT INTO t(body) VALUES(randomblob(?))')
  app.transaction(() => {
    for (let i = 0; i < rows; i++) statement.run(bytes)
  })()
}

function live(): Content {
  return contentOf(new Database(path, { readonly: true }))
}

async function restored(from: BlobStore = store, seconds?: number): Promise<Content> {
  return contentOf(new Database(await restoredFile(from, seconds), { readonly: true }))
}

/** Path of a restored database that SQLite finds sound. */
async function restoredFile(from: BlobStore = store, seconds?: number): Promise<string> {
  const target = folder.join(`restored-${runs++}.db`)
  const replica = new Replica(from)
  const wish =
    seconds === undefined
      ? ({ kind: 'latest' } as const)
      : ({ kind: 'timestamp', timestamp: new Date(seconds * 1000) } as const)
  await restoreGeneration(replica, planGeneration(await replica.generations(), wish), fileSink(target))
  const database = new Database(target, { readonly: true })
  expect(database.pragma('integrity_check', { simple: true })).toBe('ok')
  database.close()
  return target
}

/** All rows in short: comparing 45 MB takes long. */
function rowsOf(file: string): string {
  const database = new Database(file, { readonly: true })
  const rows = database.prepare('SELECT id, body FROM t ORDER BY id').raw().iterate()
  const hash = createHash('sha256')
  for (const [id, body] of rows as Iterable<[number, Uint8Array]>) hash.update(`${id} `).update(body)
  database.close()
  return hash.digest('hex')
}

async function failure(from: BlobStore = store): Promise<{ code: string; message: string }> {
  const error: unknown = await restored(from).catch((reason: unknown) => reason)
  if (!isReplicaError(error)) throw error
  expect(error.hint).toMatch(/^[A-Z].*\.$/)
  return { code: error.code, message: error.message }
}

describe.each([512, 4096, 65536])('with pages of %i bytes', (pageSize) => {
  beforeEach(() => begin(pageSize))

  test('G5, G7: a snapshot and WALs of several segments, with growth, shrinking and restarts, give the database', async () => {
    insert(20, 1000)
    app.pragma('wal_checkpoint(TRUNCATE)')
    await writer.snapshot()
    const states: { content: Content; seconds: number }[] = []
    for (let round = 0; round < 4; round++) {
      for (let i = 0; i < 5; i++) {
        insert(10 + 20 * i, 2000)
        app.exec(`UPDATE t SET body = randomblob(500) WHERE id % 7 = ${i}`)
        await writer.sync({ segmentBytes: 150_000 })
        states.push({ content: live(), seconds: now - 1 })
      }
      if (round === 1) app.exec('DELETE FROM t WHERE id > 100; VACUUM')
      if (round === 2) await writer.snapshot()
      await writer.sync({ segmentBytes: 150_000 })
      // The next write begins the WAL anew.
      app.pragma('wal_checkpoint(RESTART)')
    }
    expect(await restored()).toEqual(live())
    for (const { content, seconds } of states) expect(await restored(store, seconds)).toEqual(content)
  })
})

describe('a transaction', () => {
  beforeEach(() => begin())

  test('G8: larger than what is kept in memory is applied, and not without its commit', async () => {
    app.pragma('wal_checkpoint(TRUNCATE)')
    await writer.snapshot()
    insert(5, 1000)
    await writer.sync()
    // A small cache makes SQLite write pages of the open transaction to the WAL.
    app.pragma('cache_size=100')
    app.exec('BEGIN')
    const statement = app.prepare('INSERT INTO t(body) VALUES(randomblob(?))')
    for (let i = 0; i < 45; i++) statement.run(1_000_000)
    const before = rowsOf(path)
    await writer.sync({ segmentBytes: 10_000_000, uncommitted: true })
    expect((await new Replica(store).generations()).generations.values().next().value?.segments).toHaveLength(
      6,
    )
    expect(rowsOf(await restoredFile())).toEqual(before)
    app.exec('COMMIT')
    await writer.sync({ segmentBytes: 10_000_000 })
    const after = rowsOf(path)
    expect(after).not.toEqual(before)
    const { store: counted, requests, open } = countRequests(store)
    expect(rowsOf(await restoredFile(counted))).toEqual(after)
    expect(open.size).toBe(0)
    // The last segment is read twice.
    expect(requests.map(({ operation }) => operation)).toEqual(['list', ...Array(9).fill('get')])
    // And once more behind it, after another one.
    insert(3, 1000)
    await writer.sync()
    expect(rowsOf(await restoredFile())).toEqual(rowsOf(path))
  }, 60_000)

  test('G8: that was never committed is left out, also at the end of a WAL that another follows', async () => {
    app.pragma('wal_checkpoint(TRUNCATE)')
    await writer.snapshot()
    insert(50, 1000)
    await writer.sync()
    app.pragma('cache_size=10')
    app.exec('BEGIN; DELETE FROM t WHERE id < 30')
    for (let i = 0; i < 200; i++) app.prepare('INSERT INTO t(body) VALUES(randomblob(1000))').run()
    await writer.sync({ uncommitted: true })
    const before = live()
    expect(await restored()).toEqual(before)
    app.exec('ROLLBACK')
    app.pragma('wal_checkpoint(RESTART)')
    insert(2, 1000)
    await writer.sync()
    expect(await restored()).toEqual(live())
  })

  test('G4: is not applied over a snapshot that may hold more', async () => {
    app.pragma('wal_checkpoint(TRUNCATE)')
    await writer.snapshot()
    insert(50, 1000)
    await writer.sync()
    app.pragma('wal_checkpoint(RESTART)')
    insert(50, 1000)
    await writer.sync()
    const first = live()
    app.exec('DELETE FROM t WHERE id > 10; VACUUM')
    await writer.sync()
    // The file is shorter now than the WAL says at its beginning.
    app.pragma('wal_checkpoint(PASSIVE)')
    await writer.snapshot()
    insert(1, 100)
    await writer.sync()
    expect(await restored()).toEqual(live())
    const { segments } = [...(await new Replica(store).generations()).generations.values()][0]!
    expect(await restored(store, segments[1]!.modified.getTime() / 1000)).toEqual(first)
  })
})

describe('what is wrong is told', () => {
  beforeEach(async () => {
    begin()
    app.pragma('wal_checkpoint(TRUNCATE)')
    await writer.snapshot()
    insert(40, 1000)
    await writer.sync({ segmentBytes: 20_000 })
    app.pragma('wal_checkpoint(RESTART)')
  })

  async function keys(): Promise<string[]> {
    const all: string[] = []
    for await (const { key } of store.list({ prefix: `${writer.folder}/wal/` })) all.push(key)
    return all
  }

  test('G5: a segment that was cut to whole frames leaves a hole', async () => {
    const wal = readFileSync(`${path}-wal`)
    await writer.put(0, 0, wal.subarray(0, 32 + 4120))
    expect(await failure()).toMatchObject({ code: 'gap', message: expect.stringContaining('00001038') })
    await writer.put(0, 0, wal.subarray(0, 32 + 4120 * 7))
    expect(await failure()).toMatchObject({
      code: 'corrupt',
      message: expect.stringContaining('begins before'),
    })
  })

  test('G5: after the state that an instant gives nothing may be missing', async () => {
    const [first = '', second = ''] = await keys()
    await store.delete([second])
    const { modified } = await store.head(first)
    const seconds = modified.getTime() / 1000
    await expect(restored(store, seconds + 0.5)).rejects.toMatchObject({ code: 'gap' })
    await expect(restored(store, seconds)).resolves.toBeDefined()
  })

  test('G6: the lost end of a WAL shows by pages that nothing brought', async () => {
    const last = (await keys()).at(-1) ?? ''
    insert(40, 1000)
    await writer.sync()
    expect(await restored()).toEqual(live())
    await store.delete([last])
    expect(await failure()).toMatchObject({
      code: 'gap',
      message: expect.stringMatching(/nothing brought page \d+/),
    })
  })

  test('G6: pages that nothing brought are noticed at once, not only if none comes later', async () => {
    const last = (await keys()).at(-1) ?? ''
    app.exec('UPDATE t SET body = zeroblob(1000) WHERE id = 1')
    // From here on every page is written anew.
    app.exec('UPDATE t SET body = randomblob(1000)')
    app.exec('CREATE TABLE u(x); DROP TABLE u')
    await writer.sync()
    await store.delete([last])
    expect(await failure()).toMatchObject({
      code: 'gap',
      message: expect.stringMatching(/nothing brought page \d+/),
    })
  })

  test('G7: an object that was encrypted is told from one that was damaged', async () => {
    const [first = ''] = await keys()
    await store.put(first, new TextEncoder().encode('age-encryption.org/v1\n-> X25519 …'))
    const error: unknown = await restored().catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'corrupt', hint: expect.stringContaining('must be decrypted first') })
  })

  test('G6: the lost end of a WAL shows by the change counter of page 1', async () => {
    app.exec('UPDATE t SET body = zeroblob(1000) WHERE id = 40')
    await writer.sync()
    // Frees pages, which page 1 tells; another connection counts on from what this one has written.
    const other = new Database(path)
    other.pragma('wal_autocheckpoint=0')
    other.exec('DELETE FROM t WHERE id < 10')
    await writer.sync()
    const last = (await keys()).at(-1) ?? ''
    app.pragma('wal_checkpoint(RESTART)')
    app.exec('DELETE FROM t WHERE id < 20')
    await writer.sync()
    other.close()
    expect(await restored()).toEqual(live())
    await store.delete([last])
    expect(await failure()).toMatchObject({ code: 'gap', message: expect.stringContaining('change counter') })
  })

  test('G7: bytes that are no frames are corrupt', async () => {
    const wal = readFileSync(`${path}-wal`)
    const last = (await keys()).at(-1) ?? ''
    const changed = Buffer.from(wal.subarray(0, 32 + 4120 * 3))
    changed[5000]! ^= 1
    for (const [bytes, message] of [
      [wal.subarray(0, 31), 'inside the header'],
      [wal.subarray(0, 32 + 4119), 'inside a frame'],
      [Buffer.alloc(32), 'magic'],
      [changed, 'the frame at 4152 of the WAL does not continue'],
    ] as const) {
      await writer.put(0, 0, bytes)
      const error = await failure()
      expect(error).toMatchObject({ code: 'corrupt', message: expect.stringContaining(message) })
      expect(error.message).toContain(`${writer.folder}/wal/00000000_00000000.wal.lz4`)
    }
    expect(last).not.toBe('')
  })

  test('G7: a WAL of another page size is corrupt, and so is a snapshot that is no database', async () => {
    const other = folder.join(`other-${runs++}.db`)
    const database = new Database(other)
    database.pragma('page_size=1024')
    database.pragma('journal_mode=WAL')
    database.exec('CREATE TABLE x(y)')
    await writer.put(0, 0, readFileSync(`${other}-wal`))
    expect(await failure()).toMatchObject({ code: 'corrupt', message: expect.stringContaining('1024') })
    database.close()
    const key = `${writer.folder}/snapshots/00000000.snapshot.lz4`
    const image = readFileSync(path)
    for (const bytes of [
      new Uint8Array(0),
      image.subarray(0, 99),
      image.subarray(0, 4095),
      new Uint8Array(4096),
    ]) {
      await store.put(key, lz4Frame(bytes))
      expect(await failure()).toMatchObject({ code: 'corrupt', message: expect.stringContaining(key) })
    }
  })
})

test('an abort in the middle leaves nothing, and tells its reason', async () => {
  begin()
  insert(300, 1000)
  app.pragma('wal_checkpoint(TRUNCATE)')
  await writer.snapshot()
  insert(300, 1000)
  await writer.sync({ segmentBytes: 50_000 })
  const replica = new Replica(store)
  const plan = planGeneration(await replica.generations(), { kind: 'latest' })
  const reports: number[] = []
  await restoreGeneration(replica, plan, new MemorySink(), { onProgress: ({ bytes }) => reports.push(bytes) })
  expect(reports.length).toBeGreaterThan(10)
  for (let stop = 0; stop < reports.length; stop += 3) {
    const { store: counted, open } = countRequests(store)
    const place = folder.join(`abort-${runs++}`)
    mkdirSync(place)
    const abort = new AbortController()
    let seen = 0
    const restore = restoreGeneration(new Replica(counted), plan, fileSink(`${place}/app.db`), {
      signal: abort.signal,
      onProgress: () => {
        if (seen++ === stop) abort.abort(new Error('enough'))
      },
    })
    await expect(restore).rejects.toThrow('enough')
    expect(readdirSync(place)).toEqual([])
    expect(open.size).toBe(0)
  }
})

test('a sink is told when the database shrinks', async () => {
  begin()
  insert(100, 1000)
  app.pragma('wal_checkpoint(TRUNCATE)')
  await writer.snapshot()
  app.exec('DELETE FROM t WHERE id > 10; VACUUM')
  await writer.sync()
  const sink = new MemorySink()
  const replica = new Replica(store)
  await restoreGeneration(replica, planGeneration(await replica.generations(), { kind: 'latest' }), sink)
  expect(sink.calls).toEqual(['begin', 'write', 'write', 'truncate', 'commit'])
})

test('small objects are fetched ahead, eight at most, large ones are not', async () => {
  begin()
  app.pragma('wal_checkpoint(TRUNCATE)')
  await writer.snapshot()
  for (let i = 0; i < 30; i++) {
    insert(1, i === 20 ? 2_000_000 : 100)
    await writer.sync()
  }
  const asked: string[] = []
  let busy = 0
  let most = 0
  const slow: BlobStore = {
    driver: store.driver,
    capabilities: store.capabilities,
    list: store.list.bind(store),
    head: store.head.bind(store),
    put: store.put.bind(store),
    delete: store.delete.bind(store),
    async get(key, options) {
      asked.push(key)
      most = Math.max(most, ++busy)
      await sleep(2)
      busy--
      return await store.get(key, options)
    },
    [Symbol.asyncDispose]: async () => undefined,
  }
  expect(await restored(slow)).toEqual(live())
  // And the one that is read.
  expect(most).toBeLessThanOrEqual(9)
  expect(most).toBeGreaterThan(4)
  const plan = planGeneration(await new Replica(store).generations(), { kind: 'latest' })
  expect(asked.toSorted()).toEqual([plan.snapshot, ...plan.segments].map(({ key }) => key).toSorted())
})

test('what was fetched ahead is given up when the restore fails', async () => {
  begin()
  app.pragma('wal_checkpoint(TRUNCATE)')
  await writer.snapshot()
  for (let i = 0; i < 6; i++) {
    insert(1, 100)
    await writer.sync()
  }
  const keys = [...(await new Replica(store).generations()).generations.values()][0]!.segments
  await store.put(keys[2]!.key, Uint8Array.of(1, 2, 3))
  const { store: counted, open } = countRequests(store)
  expect(await failure(counted)).toMatchObject({
    code: 'corrupt',
    message: expect.stringContaining(keys[2]!.key),
  })
  expect(open.size).toBe(0)
  await store.delete([keys[4]!.key, keys[2]!.key])
  await expect(failure(store)).resolves.toMatchObject({ code: 'gap' })
})

test('progress reaches all bytes and all objects; every object is asked for once', async () => {
  begin()
  app.pragma('wal_checkpoint(TRUNCATE)')
  await writer.snapshot()
  insert(100, 1000)
  await writer.sync({ segmentBytes: 30_000 })
  const { store: counted, requests } = countRequests(store)
  const replica = new Replica(counted)
  const plan = planGeneration(await replica.generations(), { kind: 'latest' })
  let last: unknown
  const sink = new MemorySink()
  const result = await restoreGeneration(replica, plan, sink, { onProgress: (progress) => (last = progress) })
  const files = plan.segments.length + 1
  expect(last).toEqual({ bytes: result.bytesRead, totalBytes: result.bytesRead, files, totalFiles: files })
  expect(requests).toHaveLength(1 + files)
  expect(result.timestamp).toEqual(plan.segments.at(-1)?.modified)
  writeFileSync(folder.join('image.db'), sink.image)
  expect(contentOf(new Database(folder.join('image.db')))).toEqual(live())
})
