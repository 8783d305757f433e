import { existsSync } from 'node:fs'
import { isReplicationError, type ReplicateConfig, type ReplicationEvent, replicate } from '@sqlstream/cli'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { App, contents } from '../support/app.ts'
import { GatedStore } from '../support/gated-store.ts'
import { restoredRows } from '../support/restored.ts'
import { runCLI } from '../support/run-cli.ts'

// Each start of an engine takes a second or more on a busy machine.
vi.setConfig({ testTimeout: 240_000 })

let folder: TempFolder
let app: App

beforeEach(() => {
  folder = new TempFolder('library')
  app = new App(folder.join('app.db'))
})

afterEach(() => {
  app[Symbol.dispose]()
  folder.remove()
})

const one = (more: object = {}): ReplicateConfig => ({
  database: app.path,
  url: folder.join('backup'),
  ...more,
})

async function failure(config: unknown): Promise<{ code: string; message: string; hint?: string }> {
  const error: unknown = await replicate(config as ReplicateConfig).then(
    (replication) => replication.close(),
    (reason: unknown) => reason,
  )
  if (!isReplicationError(error)) throw new Error(`not refused: ${String(error)}`)
  const { code, message, hint } = error
  return { code, message, ...(hint === undefined ? {} : { hint }) }
}

test('durable resolves when what was committed before is in the replica', async () => {
  await using replication = await replicate(one())
  app.commit(3)
  const { database, txid } = await replication.durable()
  expect(database).toBe(app.path)
  expect(await restoredRows(folder.join('backup'), folder.join('copy.db'))).toEqual([1, 2, 3])
  app.commit()
  expect((await replication.durable()).txid).toBe(txid + 1n)
})

test('sync captures, and status says how it stands', async () => {
  const store = new GatedStore(folder)
  await using replication = await replicate(one({ url: store.url, drivers: [store.driver] }))
  app.commit()
  const before = await replication.durable()
  store.shut()
  app.commit()
  const { txid } = await replication.sync()
  expect(txid).toBe(before.txid + 1n)
  const { pid } = replication
  expect(await replication.status()).toEqual({
    state: 'running',
    restarts: 0,
    pid,
    databases: [
      {
        database: app.path,
        replica: store.url,
        state: expect.any(String) as string,
        captured: { txid },
        uploaded: { txid: before.txid },
        pendingFiles: 1,
      },
    ],
  })
  store.open()
})

test('the end of an `await using` block uploads what is left and ends the process', async () => {
  let pid: number | undefined
  {
    await using replication = await replicate(one({ syncInterval: '1h' }))
    pid = replication.pid
    app.commit(5)
  }
  expect(() => process.kill(pid ?? 0, 0)).toThrow(/ESRCH/)
  expect(await restoredRows(folder.join('backup'), folder.join('copy.db'))).toEqual([1, 2, 3, 4, 5])
})

test('close says what is safe, is done once, and ends every other call', async () => {
  const replication = await replicate(one())
  app.commit()
  const [first, second] = await Promise.all([replication.close(), replication.close()])
  expect(first).toEqual({
    complete: true,
    databases: [{ database: app.path, complete: true, pendingFiles: 0 }],
  })
  expect(second).toBe(first)
  await expect(replication.durable()).rejects.toMatchObject({ name: 'ReplicationError', code: 'closed' })
  expect(await replication.status()).toMatchObject({ state: 'closed' })
  expect(replication.pid).toBeUndefined()
  for await (const _ of replication) throw new Error('an event after the end')
})

test('close with a store that does not answer ends in time and says what is left, for the next start', async () => {
  const store = new GatedStore(folder)
  const config = one({ url: store.url, drivers: [store.driver] })
  const replication = await replicate(config)
  await replication.durable()
  store.shut()
  app.commit(2)
  await replication.sync()
  const report = await replication.close({ timeoutMs: 200 })
  expect(report).toEqual({
    complete: false,
    databases: [{ database: app.path, complete: false, pendingFiles: 1 }],
  })
  store.open()
  await using next = await replicate(config)
  await next.durable()
  expect(await restoredRows(store.folder, folder.join('copy.db'))).toEqual([1, 2])
})

test('the signal of close ends the wait for uploads, and the report still comes', async () => {
  const store = new GatedStore(folder)
  const replication = await replicate(one({ url: store.url, drivers: [store.driver] }))
  await replication.durable()
  store.shut()
  app.commit()
  await replication.sync()
  const abort = new AbortController()
  const closing = replication.close({ signal: abort.signal, timeoutMs: 600_000 })
  abort.abort()
  expect(await closing).toMatchObject({ complete: false, databases: [{ pendingFiles: 1 }] })
})

test('an abort ends the wait alone', async () => {
  const store = new GatedStore(folder)
  await using replication = await replicate(one({ url: store.url, drivers: [store.driver] }))
  await replication.durable()
  store.shut()
  app.commit()
  const abort = new AbortController()
  const waiting = replication.durable({ signal: abort.signal })
  const patient = replication.durable()
  abort.abort(new Error('no patience'))
  await expect(waiting).rejects.toThrow('no patience')
  await expect(replication.durable({ signal: AbortSignal.abort(new Error('never')) })).rejects.toThrow(
    'never',
  )
  store.open()
  const { txid } = await patient
  expect((await replication.durable()).txid).toBe(txid)
})

test('an abort of the start leaves no process and nothing that hinders the next start', async () => {
  const abort = new AbortController()
  const starting = replicate(one(), { signal: abort.signal, onEvent: () => abort.abort(new Error('enough')) })
  await expect(starting).rejects.toThrow('enough')
  await expect(replicate(one(), { signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
  app.commit()
  await using replication = await replicate(one())
  await replication.durable()
})

test('what is wrong with the configuration is refused at once, with the code and the hint of the command line', async () => {
  expect(await failure(one({ syncInteval: '1s' }))).toEqual({
    code: 'bad-config',
    message: 'syncInteval is no key that is known here',
    hint: 'did you mean syncInterval?',
  })
  expect(await failure(one({ syncInterval: 1000 }))).toMatchObject({
    code: 'bad-config',
    message: expect.stringMatching(/^syncInterval expected a duration/) as string,
  })
  expect(await failure({ databases: [{ path: 'a.db', url: 'b', lease: { tll: '1s' } }] })).toMatchObject({
    code: 'bad-config',
    message: 'databases[0].lease.tll is no key that is known here',
  })
  expect(await failure({ database: app.path })).toMatchObject({ code: 'bad-config' })
  expect(await failure({})).toMatchObject({ code: 'bad-config' })
  expect(await failure(one({ url: 's4://bucket' }))).toMatchObject({ code: 'unknown-scheme' })
  expect(await failure(one({ drivers: ['no-such-driver'] }))).toMatchObject({ code: 'driver-missing' })
  expect(await failure(one({ database: folder.join('none.db') }))).toMatchObject({ code: 'database-missing' })
  expect(await failure(one({ maxOpen: 1n }))).toMatchObject({ code: 'bad-config' })
  expect(existsSync(folder.join('backup'))).toBe(false)
})

test('texts are taken as they are: no variables are put in', async () => {
  await using replication = await replicate(one({ url: folder.join('$HOME-$$-$') }))
  await replication.durable()
  expect(existsSync(folder.join('$HOME-$$-$', 'ltx'))).toBe(true)
})

test('a store that cannot be reached refuses the start with its code and hint', async () => {
  const store = new GatedStore(folder)
  store.break()
  expect(await failure(one({ url: store.url, drivers: [store.driver] }))).toEqual({
    code: 'unavailable',
    message: 'the store is away',
    hint: 'wait for it',
  })
})

test('a replica that another writer holds is refused, and one that was taken over is fenced', async () => {
  await using first = await replicate(one({ lease: { ttl: '5s' }, syncInterval: '50ms' }))
  await first.durable()
  // One that is at rest does not renew its lease: whoever wants it then gets it.
  const busy = setInterval(() => app.commit(), 100)
  using other = new App(folder.join('other.db'))
  const held = { database: other.path, url: folder.join('backup'), lease: { ttl: '5s' } }
  expect(await failure(held)).toMatchObject({ code: 'lease-held', hint: expect.any(String) as string })
  clearInterval(busy)
  const events: ReplicationEvent[] = []
  const off = first.on((event) => events.push(event))
  expect((await runCLI(['lease', 'steal', folder.join('backup')])).status).toBe(0)
  // Until its lease is due to be renewed it need not know yet.
  const writeOn = async (): Promise<never> => {
    for (;;) {
      app.commit()
      await first.durable()
    }
  }
  await expect(writeOn()).rejects.toMatchObject({ code: 'fenced' })
  expect(events.some((event) => event.type === 'state' && event.to === 'fenced')).toBe(true)
  off()
})

test('events come with their types, to listeners and to who iterates', async () => {
  const seen: ReplicationEvent[] = []
  const replication = await replicate(one(), { onEvent: (event) => seen.push(event) })
  const iterated: ReplicationEvent[] = []
  const iterating = (async () => {
    for await (const event of replication) iterated.push(event)
  })()
  replication.on(() => {
    throw new Error('the mistake of a listener')
  })
  app.commit()
  const { txid } = await replication.durable()
  await replication.close()
  await iterating
  const captured = iterated.find((event) => event.type === 'captured')
  expect(captured?.pos.txid).toBe(txid)
  expect(captured?.time).toBeInstanceOf(Date)
  expect(seen.find((event) => event.type === 'lease')?.epoch).toBe(1n)
  expect(seen.find((event) => event.type === 'engine-started')?.pid).toBeGreaterThan(0)
  expect(iterated.map(({ type }) => type)).toContain('uploaded')
})

test('several databases: each by its path, or all', async () => {
  using jobs = new App(folder.join('jobs.db'))
  const databases = [
    { path: app.path, url: folder.join('backup') },
    { path: jobs.path, url: folder.join('backup-jobs') },
  ]
  await using replication = await replicate({ databases, retention: 'never' })
  app.commit(2)
  jobs.commit(1)
  expect((await replication.durable({ database: jobs.path })).database).toBe(jobs.path)
  expect((await replication.durableAll()).map(({ database }) => database)).toEqual([app.path, jobs.path])
  await expect(replication.durable()).rejects.toMatchObject({ code: 'usage' })
  await expect(replication.durable({ database: 'other.db' })).rejects.toMatchObject({ code: 'usage' })
  expect(await restoredRows(folder.join('backup'), folder.join('copy.db'))).toEqual([1, 2])
})

test('a folder: also databases that come later', async () => {
  using tenants = new TempFolder('library-tenants')
  using first = new App(tenants.join('one.db'))
  const later = Promise.withResolvers<void>()
  await using replication = await replicate(
    { folder: tenants.path, url: folder.join('tenants') },
    {
      onEvent: (event) => {
        if (event.type === 'member' && event.database.endsWith('two.db')) later.resolve()
      },
    },
  )
  first.commit(2)
  await replication.durable()
  using second = new App(tenants.join('two.db'))
  second.commit(3)
  await later.promise
  const { txid } = await replication.durable({ database: second.path })
  expect(txid).toBeGreaterThan(0n)
  expect(await restoredRows(folder.join('tenants/two.db'), folder.join('copy.db'))).toEqual([1, 2, 3])
  await expect(replication.sync({ database: second.path })).rejects.toMatchObject({ code: 'usage' })
  expect((await replication.status()).databases.map(({ database }) => database).sort()).toEqual([
    first.path,
    second.path,
  ])
  expect(await replication.close()).toEqual({ complete: true, databases: [] })
  expect(contents(second.path).problems).toBe('ok')
})
