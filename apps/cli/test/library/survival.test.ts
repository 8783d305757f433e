import { spawnSync } from 'node:child_process'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { type ReplicationEvent, replicate } from '@sqlstream/cli'
import { Random, TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { App } from '../support/app.ts'
import { GatedStore } from '../support/gated-store.ts'
import { restoredRows } from '../support/restored.ts'
import { startProgram } from '../support/run-cli.ts'
import { writeFile } from '../support/write-file.ts'

const SOURCES = '--conditions=@sqlstream/source'

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

function numbers(last: number): number[] {
  return Array.from({ length: last }, (_, i) => i + 1)
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Resolves at the first event of a type, from the call on. */
function next(on: (listener: (event: ReplicationEvent) => void) => () => void, type: string): Promise<void> {
  return new Promise((resolve) => {
    const off = on((event) => {
      if (event.type !== type) return
      off()
      resolve()
    })
  })
}

test('what durable promised is in the replica, however often the engine is killed meanwhile', async () => {
  const url = folder.join('backup')
  const random = new Random(20261128)
  await using replication = await replicate(
    { database: app.path, url },
    { restart: { firstMs: 1, mostMs: 20, failures: Number.POSITIVE_INFINITY } },
  )
  let last = 0
  let kills = 0
  for (let round = 0; round < 8; round++) {
    app.commit(3)
    last += 3
    const promises = [replication.durable(), replication.durable()]
    for (let i = random.integer(1, 2); i > 0; i--) {
      await sleep(random.integer(0, 120))
      const { pid } = replication
      if (pid !== undefined && process.kill(pid, 'SIGKILL')) kills++
    }
    await Promise.all(promises)
    expect(await restoredRows(url, folder.join('copy.db'))).toEqual(numbers(last))
  }
  expect(kills).toBeGreaterThan(2)
  const { restarts } = await replication.status()
  expect(restarts).toBeGreaterThan(0)
  expect((await replication.close()).complete).toBe(true)
})

test('an application that is killed leaves an engine that uploads what is left and ends, and the next start waits for it', async () => {
  const store = new GatedStore(folder)
  const config = { database: app.path, url: store.url, drivers: [store.driver], syncInterval: '1h' } as const
  const main = fileURLToPath(new URL('../support/application-main.ts', import.meta.url))
  const application = startProgram(process.execPath, [SOURCES, main, app.path, JSON.stringify(config), '7'])
  const line = await application.line(/^engine/)
  const engine = Number(line.split(' ')[1])
  store.shut()
  application.child.kill('SIGKILL')
  const { stdout, stderr } = await application.result
  expect({ stdout, stderr }).toEqual({ stdout: `${line}\n`, stderr: '' })
  expect(isAlive(engine)).toBe(true)
  const starting = replicate(config)
  store.open()
  await using replication = await starting
  // Its lock is free a moment before it has ended.
  await expect.poll(() => isAlive(engine)).toBe(false)
  expect(await restoredRows(store.folder, folder.join('copy.db'))).toEqual(numbers(7))
  await replication.durable()
})

test('an application without the engine in its reference count may end, and its output is its own', async () => {
  const script = writeFile(
    folder,
    'app.ts',
    `import { replicate } from ${JSON.stringify(new URL('../../src/library/index.ts', import.meta.url).href)}
const replication = await replicate(${JSON.stringify({ database: app.path, url: folder.join('backup') })}, { unref: true })
await replication.durable()
console.log('end')
`,
  )
  const result = await startProgram(process.execPath, [SOURCES, script]).result
  expect(result).toEqual({ status: 0, stdout: 'end\n', stderr: '' })
})

test('an engine that dies again and again is told, calls are rejected, and it comes back', async () => {
  const die = writeFile(folder, 'die.cjs', `console.error('no way'); process.exit(3)\n`)
  const env: Record<string, string | undefined> = { PATH: process.env['PATH'] }
  const events: ReplicationEvent[] = []
  await using replication = await replicate(
    { database: app.path, url: folder.join('backup') },
    { env, restart: { firstMs: 1, mostMs: 10, failures: 3 }, onEvent: (event) => events.push(event) },
  )
  await replication.durable()
  env['NODE_OPTIONS'] = `--require ${die}`
  process.kill(replication.pid!, 'SIGKILL')
  app.commit(2)
  await expect(replication.durable()).rejects.toMatchObject({
    code: 'engine-failing',
    message: expect.stringMatching(/3 times in a row: exit code 3: no way/) as string,
  })
  await expect(replication.durable()).rejects.toMatchObject({ code: 'engine-failing' })
  expect(await replication.status()).toMatchObject({ state: 'failing' })
  expect(events.filter(({ type }) => type === 'engine-failing').length).toBe(1)
  const again = next((listener) => replication.on(listener), 'engine-started')
  delete env['NODE_OPTIONS']
  await again
  await replication.durable()
  expect(await restoredRows(folder.join('backup'), folder.join('copy.db'))).toEqual([1, 2])
})

test('an engine of another version is refused with the advice to restart', async () => {
  const newer = writeFile(
    folder,
    'newer.cjs',
    `const send = process.send
process.send = (message, ...rest) =>
  send.call(process, message.type === 'hello' ? { ...message, version: 99 } : message, ...rest)
`,
  )
  const env = { PATH: process.env['PATH'], NODE_OPTIONS: `--require ${newer}` }
  await expect(replicate({ database: app.path, url: folder.join('backup') }, { env })).rejects.toMatchObject({
    code: 'engine-version',
    hint: expect.stringMatching(/restart the application/) as string,
  })
})

test('an engine that cannot be started, or dies while it starts, refuses the start at once', async () => {
  const config = { database: app.path, url: folder.join('backup') }
  await expect(replicate(config, { execArgv: ['--no-such-option'] })).rejects.toMatchObject({
    code: 'engine-failing',
    message: expect.stringMatching(/exit code 9: .*--no-such-option/) as string,
  })
  await expect(replicate(config, { env: { LONG: 'x'.repeat(1 << 20) } })).rejects.toMatchObject({
    code: 'engine-failing',
    message: expect.stringMatching(/it does not start: /) as string,
  })
})

test('a store that is away when the engine comes back keeps calls waiting until it is there', async () => {
  const store = new GatedStore(folder)
  await using replication = await replicate(
    { database: app.path, url: store.url, drivers: [store.driver] },
    { restart: { firstMs: 1, mostMs: 10, failures: 2 } },
  )
  await replication.durable()
  store.break()
  let deaths = 0
  const fourTimes = new Promise<void>((resolve) => {
    replication.on((event) => {
      if (event.type === 'engine-died' && ++deaths === 4) resolve()
    })
  })
  process.kill(replication.pid!, 'SIGKILL')
  app.commit()
  const waiting = replication.durable()
  await fourTimes
  store.mend()
  await waiting
  expect(await restoredRows(store.folder, folder.join('copy.db'))).toEqual([1])
})

test('locks of the application survive whatever the engine does', async () => {
  const events: ReplicationEvent[] = []
  await using replication = await replicate(
    { database: app.path, url: folder.join('backup') },
    { onEvent: (event) => events.push(event) },
  )
  const other = fileURLToPath(new URL('../support/take-write-lock.ts', import.meta.url))
  const tried = (): string => spawnSync(process.execPath, [other, app.path], { encoding: 'utf8' }).stdout
  for (let round = 1; round <= 3; round++) {
    const checkpointed = next((listener) => replication.on(listener), 'checkpointed')
    app.commit(600)
    app.db.exec('BEGIN IMMEDIATE')
    app.commit()
    await replication.durable()
    await checkpointed
    expect(tried()).toBe('SQLITE_BUSY')
    app.db.exec('COMMIT')
    expect(tried()).toBe('free')
  }
  await replication.durable()
  expect(await restoredRows(folder.join('backup'), folder.join('copy.db'))).toEqual(numbers(3 * 601))
})

test('the event loop of the application does not stand still while a large database is read', async () => {
  app.db.exec('CREATE TABLE large (body BLOB)')
  const insert = app.db.prepare('INSERT INTO large VALUES (randomblob(1048576))')
  app.db.transaction(() => {
    for (let i = 0; i < 96; i++) insert.run()
  })()
  const slowest = async (work: () => Promise<unknown>): Promise<number> => {
    const delay = monitorEventLoopDelay({ resolution: 1 })
    delay.enable()
    await work()
    delay.disable()
    return delay.percentile(95) / 1e6
  }
  const idle = await slowest(() => sleep(500))
  let stop: (() => Promise<unknown>) | undefined
  const busy = await slowest(async () => {
    const replication = await replicate({ database: app.path, url: folder.join('backup') })
    stop = () => replication.close()
    await replication.durable()
  })
  await stop?.()
  // In the application's own process each of the steps would take longer than that, and there is more than one.
  expect(busy).toBeLessThan(idle * 5 + 50)
})

test('the application loads no SQLite and nothing of the engine', async () => {
  const script = writeFile(
    folder,
    'graph.mjs',
    `import { registerHooks } from 'node:module'
const loaded = []
registerHooks({
  load(url, context, nextLoad) {
    loaded.push(url)
    return nextLoad(url, context)
  },
})
const { replicate } = await import(${JSON.stringify(new URL('../../dist/library/index.js', import.meta.url).href)})
const replication = await replicate(${JSON.stringify({ database: app.path, url: folder.join('backup') })})
await replication.durable()
await replication.close()
const { sharedObjects } = process.report.getReport()
console.log(JSON.stringify({ loaded, sharedObjects }))
`,
  )
  const { stdout } = await startProgram(process.execPath, [script]).result
  const { loaded, sharedObjects } = JSON.parse(stdout) as { loaded: string[]; sharedObjects: string[] }
  const strangers = loaded.filter(
    (url) => !url.startsWith('node:') && !url.includes('/apps/cli/dist/library/'),
  )
  expect(strangers).toEqual([])
  expect(loaded.length).toBeGreaterThan(5)
  expect(sharedObjects.filter((path) => /sqlite|\.node$/.test(path))).toEqual([])
})
