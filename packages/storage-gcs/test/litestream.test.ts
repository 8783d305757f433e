import { headOf, planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { Primary } from '@sqlstream/replica-core'
import { withPrefix } from '@sqlstream/storage'
import { compareImages, peerOrReason, TempFolder } from '@sqlstream/testkit'
import { FakeGCS, serverOrReason, startFakeGCSServer } from '@sqlstream/testkit/servers'
import Database from 'better-sqlite3'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { openStore } from './fake-store.ts'

const litestream = await peerOrReason('litestream-cli')
const fake = await FakeGCS.start()
const server = await serverOrReason('fake-gcs-server', startFakeGCSServer)

afterAll(async () => {
  await fake[Symbol.asyncDispose]()
  if (!('reason' in server)) await server[Symbol.asyncDispose]()
})
afterEach(() => {
  vi.unstubAllEnvs()
})

const services = [
  ['our fake', fake],
  ['fake-gcs-server', server],
] as const

describe.each(services)('in a bucket of %s', (_, service) => {
  test('Litestream restores what we replicate', async (context) => {
    if ('reason' in litestream) return context.skip(litestream.reason)
    if ('reason' in service) return context.skip(service.reason)
    using folder = new TempFolder('gcs')
    vi.stubEnv('STORAGE_EMULATOR_HOST', service.url)
    const database = folder.join('app.db')
    using app = makeDatabase(database)
    await using store = openStore(service.url)
    const primary = await Primary.open({ database, replica: new Replica(withPrefix(store, 'ours/')) })
    for (let n = 0; n < 5; n++) {
      insert(app, n)
      await primary.durable()
    }
    await primary.close()
    await litestream.restore('gs://bucket/ours', folder.join('copy.db'))
    expect(rowsOf(folder.join('copy.db'))).toEqual(rowsOf(database))
  })

  test('we restore what Litestream replicates', async (context) => {
    if ('reason' in litestream) return context.skip(litestream.reason)
    if ('reason' in service) return context.skip(service.reason)
    using folder = new TempFolder('gcs')
    vi.stubEnv('STORAGE_EMULATOR_HOST', service.url)
    const database = folder.join('app.db')
    using app = makeDatabase(database)
    for (let n = 0; n < 3; n++) {
      insert(app, n)
      await litestream.replicateOnce(database, 'gs://bucket/theirs')
    }
    await using store = openStore(service.url)
    const replica = new Replica(withPrefix(store, 'theirs/'))
    const catalog = await replica.catalog()
    expect(headOf(catalog)).toBeGreaterThan(1n)
    await restore(replica, planRestore(catalog, { kind: 'latest' }), fileSink(folder.join('ours.db')))
    expect(rowsOf(folder.join('ours.db'))).toEqual(rowsOf(database))
    await litestream.restore('gs://bucket/theirs', folder.join('theirs.db'))
    expect(compareImages(folder.join('theirs.db'), folder.join('ours.db'))).toMatchObject({ equal: true })
  })
})

test('we and Litestream write the time of a file in one place and form', async (context) => {
  if ('reason' in litestream) return context.skip(litestream.reason)
  const metadata = (prefix: string) => {
    const bucket = fake.bucket('bucket')
    const names = bucket.names().filter((name) => name.startsWith(`${prefix}/ltx/`))
    return names.map((name) => bucket.find(name)!.resource.metadata)
  }
  for (const each of [...metadata('ours'), ...metadata('theirs')]) {
    expect(each).toEqual({
      'litestream-timestamp': expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d*[1-9])?Z$/),
    })
  }
  expect(metadata('ours').length).toBeGreaterThan(1)
  expect(metadata('theirs').length).toBeGreaterThan(1)
})

function makeDatabase(path: string): Database.Database & Disposable {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)')
  return Object.assign(db, { [Symbol.dispose]: () => void db.close() })
}

function insert(db: Database.Database, n: number): void {
  db.prepare('INSERT INTO note (text) VALUES (?)').run(`${n}`.repeat(5000))
}

function rowsOf(path: string): unknown[] {
  const db = new Database(path, { readonly: true })
  try {
    return db.prepare('SELECT * FROM note ORDER BY id').all()
  } finally {
    db.close()
  }
}
