import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { headOf, planRestore, Replica, type RestoreTarget, restore, verify } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { TempFolder } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readLog } from '../../src/state/read-log.ts'
import { Application } from '../scenarios/support/application.ts'
import { query } from '../scenarios/support/scene.ts'
import { FleetProcess } from './fleet-process.ts'

const NAMES = ['a.db', 'b.db']
/** Longer than any of these tests. */
const NEVER_MS = 3_600_000
const LONGER_THAN_A_SEGMENT = 100

let folder: TempFolder
let app: Application
const processes = new Set<FleetProcess>()
beforeEach(async () => {
  folder = new TempFolder('old-files')
  for (const name of ['data', 'commits', 'old']) mkdirSync(folder.join(name))
  app = await Application.start()
  for (const name of NAMES) {
    app.open(folder.join('data', name), name)
    app.run('PRAGMA journal_mode=WAL; CREATE TABLE t(n INTEGER PRIMARY KEY, v)', name)
  }
  write()
})
afterEach(async () => {
  for (const fleet of processes) fleet.kill()
  await Promise.all([...processes].map(({ exited }) => exited))
  processes.clear()
  await app[Symbol.asyncDispose]()
  folder.remove()
})

function start(
  options: { readonly restAfterMs?: number; readonly onBehind?: 'snapshot' } = {},
): FleetProcess {
  const fleet = new FleetProcess({
    folder: folder.join('data'),
    replica: folder.join('replica'),
    commits: folder.join('commits'),
    durableLog: folder.join('durable'),
    restAfterMs: NEVER_MS,
    ...options,
  })
  processes.add(fleet)
  return fleet
}

/** Adds a row to each of these, in transactions of their own. */
function write(names: readonly string[] = NAMES, times = 1): void {
  for (let i = 0; i < times; i++)
    for (const name of names) {
      app.run('INSERT INTO t(v) VALUES(randomblob(500))', name)
      writeFileSync(folder.join('commits', name), `${app.value('SELECT max(n) FROM t', name)}\n`, {
        flag: 'a',
      })
    }
}

const newest = (name: string): number => Number(app.value('SELECT coalesce(max(n), 0) FROM t', name))

async function untilDurable(fleet: FleetProcess): Promise<void> {
  const target = NAMES.map((name) => [name, newest(name)] as const)
  await fleet.until(() => {
    const durable = existsSync(folder.join('durable'))
      ? (JSON.parse(
          readFileSync(folder.join('durable'), 'utf8').split('\n').slice(0, -1).at(-1) ?? '{}',
        ) as Record<string, number>)
      : {}
    return target.every(([name, n]) => (durable[name] ?? 0) >= n)
  })
}

const FILES = ['', '-wal', '-shm']
const stateOf = (name: string): string => folder.join('data', `.${name}-sqlstream`)
const log = (): string => folder.join('data', '.sqlstream-log')
/** A fleet whose databases have captures in the log, all of them durable. */
async function begin(options: Parameters<typeof start>[0] = {}): Promise<FleetProcess> {
  const fleet = start(options)
  await untilDurable(fleet)
  write()
  await untilDurable(fleet)
  return fleet
}

/** Makes more durable, then ends the fleet. Returns how many rows there are in `a.db` now. */
async function writeMore(fleet: FleetProcess, how: string, times = 3): Promise<number> {
  write(NAMES, times)
  await untilDurable(fleet)
  await end(fleet, how)
  return newest('a.db')
}

/** What there is of `a.db` and of the log, as of one instant: nobody writes, and the fleet stands still. */
function copy(fleet: FleetProcess): void {
  fleet.kill('SIGSTOP')
  for (const suffix of FILES)
    cpSync(`${folder.join('data', 'a.db')}${suffix}`, folder.join('old', `db${suffix}`))
  cpSync(stateOf('a.db'), folder.join('old', 'state'), { recursive: true })
  cpSync(log(), folder.join('old', 'log'), { recursive: true })
  fleet.kill('SIGCONT')
}

function putBack(): void {
  app.close('a.db')
  for (const suffix of FILES) {
    rmSync(`${folder.join('data', 'a.db')}${suffix}`, { force: true })
    cpSync(folder.join('old', `db${suffix}`), `${folder.join('data', 'a.db')}${suffix}`)
  }
  rmSync(stateOf('a.db'), { recursive: true })
  cpSync(folder.join('old', 'state'), stateOf('a.db'), { recursive: true })
  app.open(folder.join('data', 'a.db'), 'a.db')
}

async function end(fleet: FleetProcess, how: string): Promise<void> {
  if (how === 'stopped') return fleet.stop()
  fleet.kill()
  await fleet.exited
}

const replicaOf = (name: string): Replica =>
  new Replica(withPrefix(new FileStore(folder.join('replica')), `${name}/`))

async function restored(target: RestoreTarget = { kind: 'latest' }): Promise<number> {
  const path = folder.join('restored')
  const plan = planRestore(await replicaOf('a.db').catalog(), target)
  const result = await restore(replicaOf('a.db'), plan, fileSink(path, { overwrite: true }))
  expect(result.proven).toBe(true)
  return Number(query(path, 'SELECT max(n) FROM t'))
}

const keys = async (): Promise<string[]> => {
  const found: string[] = []
  for await (const { key } of replicaOf('a.db').store.list()) if (key.endsWith('.ltx')) found.push(key)
  return found
}

async function expectWhole(): Promise<void> {
  for await (const { severity, message } of verify(replicaOf('a.db'), { depth: 'bytes' }))
    expect(severity, message).not.toBe('error')
}

/** These are behind their replicas: refused by name, and the replica stays as it is, with so many rows. */
async function expectBehind(n: number, names: readonly string[] = ['a.db']): Promise<void> {
  const before = await keys()
  const fleet = start()
  const isSeen = (name: string): boolean => {
    const state = fleet.stateOf(name)
    return state === 'open' || fleet.refusals.some((each) => each.startsWith(name))
  }
  await fleet.until(() => names.every(isSeen))
  await end(fleet, 'stopped')
  expect(new Set(fleet.refusals)).toEqual(new Set(names.map((name) => `${name}: behind`)))
  expect(fleet.snapshots).toEqual([])
  expect(await keys()).toEqual(before)
  expect(await restored()).toBe(n)
}

describe('T22: the files of one database of a fleet are put back, and the log that it shares is not', () => {
  it.each([
    ['stopped', 'nothing', 0],
    ['stopped', 'something', 1],
    ['killed', 'nothing', 0],
    ['killed', 'something', 1],
  ])(
    'after a later run of the fleet was %s, and %s was written to them: they are behind',
    async (how, _what, since) => {
      const first = await begin()
      copy(first)
      await end(first, how)
      const n = await writeMore(start(), how)
      putBack()
      write(['a.db'], since)
      await expectBehind(n)
      // And they stay refused, until somebody decides.
      await expectBehind(n)
      const last = newest('a.db')
      const head = headOf(await replicaOf('a.db').catalog())!
      const decided = start({ onBehind: 'snapshot' })
      await decided.until(() => decided.stateOf('a.db') === 'open')
      await end(decided, 'stopped')
      expect(decided.snapshots).toEqual(['a.db: behind'])
      expect(await restored()).toBe(last)
      expect(await restored({ kind: 'txid', txid: head })).toBe(n)
      await expectWhole()
    },
  )

  it('after the segment with its captures was dropped: they are behind', async () => {
    const first = await begin()
    copy(first)
    const numbers = (): readonly number[] => readLog(log()).segments
    const [before = 0] = numbers()
    while ((numbers()[0] ?? 0) <= before) {
      write(NAMES, LONGER_THAN_A_SEGMENT)
      await untilDurable(first)
    }
    const n = await writeMore(first, 'killed')
    putBack()
    write(['a.db'])
    await expectBehind(n)
  })

  it.each([
    ['killed', 1],
    ['stopped', 1],
    // Many in one file, whose name says nothing of the first of them.
    ['killed', 30],
  ])(
    'copied while it rested, before the fleet was %s after more captures (%i): they are behind (Q5)',
    async (how, captures) => {
      const first = await begin({ restAfterMs: 0 })
      await first.until(() => first.stateOf('a.db') === 'resting')
      copy(first)
      expect(existsSync(`${stateOf('a.db')}/rest.json`)).toBe(true)
      const n = await writeMore(first, how, captures)
      putBack()
      write(['a.db'])
      await expectBehind(n)
    },
  )

  it('while the log has all that they lack: they go on, and the newest state stays restorable', async () => {
    const first = await begin()
    copy(first)
    const n = await writeMore(first, 'killed')
    const head = headOf(await replicaOf('a.db').catalog())!
    putBack()
    write(['a.db'])
    const last = newest('a.db')
    expect(last).toBeLessThan(n)
    const fleet = start()
    await fleet.until(() => fleet.stateOf('a.db') === 'open')
    await end(fleet, 'stopped')
    expect(fleet.snapshots).toEqual([])
    expect(fleet.refusals).toEqual([])
    expect(await restored()).toBe(last)
    expect(await restored({ kind: 'txid', txid: head })).toBe(n)
    await expectWhole()
  })
})

describe('T22: the log of a fleet is put back, and its databases are not', () => {
  function putLogBack(): void {
    for (const name of readdirSync(log())) rmSync(`${log()}/${name}`)
    cpSync(folder.join('old', 'log'), log(), { recursive: true })
  }

  it.each([
    ['stopped', 'of this run'],
    ['stopped', 'of the run before'],
    ['killed', 'of the run before'],
  ])('after the fleet was %s, as the log %s was: they are the newest, and go on', async (how, when) => {
    let fleet = await begin()
    copy(fleet)
    if (when === 'of the run before') {
      await end(fleet, 'stopped')
      fleet = start()
    }
    await writeMore(fleet, how)
    putLogBack()
    const again = start()
    // What is written before that is one more thing that they have and nobody knows.
    await again.until(() => NAMES.every((name) => again.stateOf(name) === 'open'))
    write()
    await untilDurable(again)
    await end(again, 'stopped')
    expect(again.refusals).toEqual([])
    expect(again.snapshots).toEqual([])
    expect(await restored()).toBe(newest('a.db'))
    await expectWhole()
  })

  it('after the fleet was killed, as it was in the same run: what it lacks nobody knows, so they are behind', async () => {
    const fleet = await begin()
    copy(fleet)
    const n = await writeMore(fleet, 'killed')
    putLogBack()
    await expectBehind(n, NAMES)
  })
})
