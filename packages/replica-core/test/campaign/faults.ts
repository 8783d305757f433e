import { spawnSync } from 'node:child_process'
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { basename } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { pathToFileURL } from 'node:url'
import { planRestore, Replica, type RestoreTarget } from '@sqlstream/replica'
import { withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import type { LitestreamCLI } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { FAILPOINTS, type Failpoint } from '../../src/index.ts'
import type { History } from './history.ts'

/** What a fault needs from outside of its history. */
export interface Surroundings {
  readonly litestream: LitestreamCLI | undefined
}

/** Does the harm; the history is checked and settled by who calls. Returns the refusals that are right after it. */
type Fault = (history: History, around: Surroundings) => Promise<readonly string[]>

const WRITING: readonly (readonly Failpoint[])[] = [
  ['spool:before-sync', 'log:before-append'],
  ['spool:before-rename', 'log:after-append'],
  ['journal:before-append', 'log:before-append'],
  ['ledger:before-write'],
  ['ledger:before-rename'],
]
const SKEWS = [-86_400_000, -3_600_000, -1000, 0, 60_000, 300_000, 86_400_000]
const CHECKPOINTS = ['PASSIVE', 'FULL', 'RESTART', 'TRUNCATE'] as const
const STORES = ['failing', 'answers lost', 'cut lists and bodies', 'slow'] as const
const BEHIND = ['behind', 'diverged'] as const

async function killAll(history: History): Promise<void> {
  await history.subject.killed()
  await Promise.all(history.names.map((name) => history.killWriters(name)))
}

async function startAll(history: History): Promise<void> {
  await Promise.all(history.names.map((name) => history.startWriters(name)))
  history.start()
}

/** Sees to it that what is durable can still be restored after the newest state has become another. */
async function headOf(history: History, name: string): Promise<RestoreTarget | undefined> {
  if ((history.durable()[name] ?? 0) === 0) return undefined
  const replica = new Replica(withPrefix(new FileStore(history.folder.join('store')), `${name}/`))
  return { kind: 'txid', txid: planRestore(await replica.catalog(), { kind: 'latest' }).txid }
}

const kinds: Record<string, { readonly weight: number; readonly burst?: true; readonly run: Fault }> = {
  'SIGKILL of the replicator at a failpoint': {
    weight: 8,
    run: async (history) => {
      const { random } = history
      await history.subject.killed()
      history.count('SIGKILL of the replicator at a random moment')
      await history.check(random.pick(history.names))
      const at = FAILPOINTS.filter((name) => history.mode === 'fleet' || !name.startsWith('rest:'))
      history.start({ failpoint: `${random.pick(at)}=${1 + random.below(4)}` })
      await Promise.race([history.subject.exited, sleep(1500)])
      await history.subject.killed()
      history.start()
      return []
    },
  },
  'SIGKILL of a writer': {
    weight: 4,
    run: async (history) => {
      const name = history.random.pick(history.names)
      await history.killWriters(name)
      await history.startWriters(name)
      return []
    },
  },
  'SIGKILL of all processes': {
    weight: 2,
    run: async (history) => {
      await killAll(history)
      await history.checkAll()
      await startAll(history)
      return []
    },
  },
  'SIGSTOP and SIGCONT of the replicator': {
    weight: 5,
    burst: true,
    run: async (history) => {
      history.subject.kill('SIGSTOP')
      await sleep(history.random.below(150))
      await history.maybeCheck()
      history.subject.kill('SIGCONT')
      return []
    },
  },
  'SIGSTOP and SIGCONT of a writer': {
    weight: 5,
    burst: true,
    run: async (history) => {
      const writer = history.random.pick(history.writers.get(history.random.pick(history.names)) ?? [])
      writer.pause()
      await sleep(history.random.below(150))
      writer.resume()
      return []
    },
  },
  'full disk at a writing step': {
    weight: 5,
    burst: true,
    run: async (history) => {
      history.subject.order({ failing: { at: history.random.pick(WRITING), code: 'ENOSPC' } })
      await sleep(20 + history.random.below(130))
      await history.maybeCheck()
      history.subject.order({ failing: { at: [], code: '' } })
      return []
    },
  },
  'full file system': {
    weight: 4,
    burst: true,
    run: async (history) => {
      const { small, random } = history
      if (small === undefined) return []
      const ballast = `${small}/ballast`
      // As much as fits, to the last byte.
      spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4096'], { stdio: 'ignore' })
      await sleep(20 + random.below(130))
      await history.maybeCheck()
      rmSync(ballast)
      return []
    },
  },
  'no descriptors left': {
    weight: 4,
    burst: true,
    run: async (history) => {
      const { pid, ended } = history.subject
      // Why it has ended is looked at afterwards.
      if (ended !== undefined || !existsSync(`/proc/${pid}/limits`)) return []
      const open = readdirSync(`/proc/${pid}/fd`).length
      const former = /^Max open files +(\d+)/m.exec(readFileSync(`/proc/${pid}/limits`, 'utf8'))?.[1] ?? ''
      const limit = open + history.random.below(3)
      spawnSync('prlimit', ['--pid', String(pid), `--nofile=${limit}:`])
      await sleep(20 + history.random.below(130))
      await history.maybeCheck()
      spawnSync('prlimit', ['--pid', String(pid), `--nofile=${former}:`])
      return []
    },
  },
  'state that must not be written, while it runs': {
    weight: 2,
    burst: true,
    run: async (history) => {
      history.subject.order({ failing: { at: history.random.pick(WRITING), code: 'EROFS' } })
      await sleep(20 + history.random.below(130))
      history.subject.order({ failing: { at: [], code: '' } })
      return []
    },
  },
  'read-only state folder at the start': {
    weight: 2,
    run: async (history) => {
      if (history.small === undefined) return []
      await history.subject.killed()
      const mount = (how: string): void => {
        const { status, stderr } = spawnSync('mount', ['-o', `remount,${how}`, history.small as string])
        if (status !== 0) throw new Error(`remount: ${stderr}`)
      }
      mount('ro')
      history.start()
      await Promise.race([history.subject.exited, sleep(800)])
      await history.subject.killed()
      mount('rw')
      await history.checkAll()
      history.start()
      return []
    },
  },
  'lost store folder': {
    weight: 4,
    run: async (history) => {
      const point = (target: string): void => {
        symlinkSync(history.folder.join(target), history.folder.join('replica.new'))
        renameSync(history.folder.join('replica.new'), history.replica)
      }
      point('nothing')
      await sleep(20 + history.random.below(130))
      if (history.random.chance(0.3)) {
        await history.subject.killed()
        history.start()
        await sleep(500)
      }
      point('store')
      return []
    },
  },
  'faulty store': {
    weight: 5,
    burst: true,
    run: async (history) => {
      history.subject.order({ store: history.random.pick(STORES) })
      await sleep(20 + history.random.below(130))
      await history.maybeCheck()
      history.subject.order({ store: 'healthy' })
      return []
    },
  },
  'clock jump': {
    weight: 4,
    burst: true,
    run: async (history) => {
      history.skewMs = history.random.pick(SKEWS)
      history.subject.order({ skewMs: history.skewMs })
      await sleep(history.random.below(100))
      return []
    },
  },
  'foreign checkpoint': {
    weight: 8,
    burst: true,
    run: async (history) => {
      const db = new Database(history.database(history.random.pick(history.names)), { timeout: 300 })
      try {
        db.pragma(`wal_checkpoint(${history.random.pick(CHECKPOINTS)})`)
      } finally {
        db.close()
      }
      return []
    },
  },
  'deleted -shm': {
    weight: 2,
    run: async (history) => {
      await killAll(history)
      for (const name of history.names) rmSync(`${history.database(name)}-shm`, { force: true })
      await startAll(history)
      return []
    },
  },
  'deleted -wal': {
    weight: 2,
    run: async (history) => {
      await killAll(history)
      const name = history.random.pick(history.names)
      await history.check(name)
      const path = history.database(name)
      const alone = history.folder.join('alone.db')
      for (const suffix of ['-wal', '-shm']) rmSync(`${alone}${suffix}`, { force: true })
      cpSync(path, alone)
      // Half of a checkpoint without its WAL is no database any more, with or without a replica.
      if (isSound(alone)) {
        history.before.set(name, { durable: history.durable()[name] ?? 0, head: await headOf(history, name) })
        for (const suffix of ['-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
        history.accept(name)
      }
      await startAll(history)
      return []
    },
  },
  'deleted state': {
    weight: 3,
    run: async (history) => {
      const { random } = history
      await history.subject.killed()
      await history.checkAll()
      const name = random.pick(history.names)
      const state = history.stateOf(name)
      const what = random.pick(['ledger', 'journal', 'spool', 'seat', 'rest.json', 'log', 'all'])
      const log =
        history.mode === 'fleet'
          ? history.folder.join('data', '.sqlstream-log')
          : history.folder.join('state', 'log')
      if (what === 'log')
        for (const file of existsSync(log) ? readdirSync(log) : [])
          rmSync(`${log}/${file}`, { recursive: true })
      else rmSync(what === 'all' ? state : `${state}/${what}`, { recursive: true, force: true })
      history.last = `deleted state: ${what}`
      history.start()
      // What was captured and is in no other place is unknown now, so the replica is ahead of what is known here.
      return BEHIND
    },
  },
  'old volume': {
    weight: 2,
    run: async (history) => {
      const old = history.folder.join('old')
      const parts = [history.data, history.folder.join('state')]
      const copy = (from: string, to: string): void => {
        mkdirSync(to, { recursive: true })
        for (const file of readdirSync(from)) cpSync(`${from}/${file}`, `${to}/${file}`, { recursive: true })
      }
      rmSync(old, { recursive: true, force: true })
      await killAll(history)
      for (const part of parts) copy(part, `${old}/${basename(part)}`)
      await startAll(history)
      await history.settle()
      await killAll(history)
      await history.checkAll()
      // Not the folders themselves: one of them may be a file system.
      if (history.small)
        for (const file of readdirSync(history.small)) rmSync(`${history.small}/${file}`, { recursive: true })
      for (const part of parts)
        for (const file of readdirSync(part))
          if (`${part}/${file}` !== history.small) rmSync(`${part}/${file}`, { recursive: true })
      for (const part of parts) copy(`${old}/${basename(part)}`, part)
      for (const name of history.names) {
        history.before.set(name, { durable: history.durable()[name] ?? 0, head: await headOf(history, name) })
        history.accept(name)
      }
      await startAll(history)
      return BEHIND
    },
  },
  'old files of one database': {
    weight: 2,
    run: async (history) => {
      const { random } = history
      const name = random.pick(history.names)
      const old = history.folder.join('old')
      const writers = history.writers.get(name) ?? []
      // All of it as of one instant, as the image of a volume has it.
      history.subject.kill('SIGSTOP')
      for (const writer of writers) writer.pause()
      history.copyFiles(name, old)
      for (const writer of writers) writer.resume()
      history.subject.kill('SIGCONT')
      await sleep(random.below(1500))
      if (random.chance(0.5)) await history.settle()
      if (random.chance(0.5)) await history.subject.stopped()
      else await history.subject.killed()
      await history.killWriters(name)
      await history.checkAll()
      history.before.set(name, { durable: history.durable()[name] ?? 0, head: await headOf(history, name) })
      history.putBack(name, old)
      history.accept(name)
      await history.startWriters(name)
      history.start()
      return ['behind']
    },
  },
  'Litestream attached': {
    weight: 1,
    run: async (history, { litestream }) => {
      if (litestream === undefined) return []
      const database = history.database(history.random.pick(history.names))
      const url = pathToFileURL(history.folder.join('theirs')).href
      await using theirs = await litestream.replicate(database, url)
      await sleep(1000 + history.random.below(1000))
      if (history.random.chance(0.5)) await theirs.kill()
      return []
    },
  },
}

/** A fault by weight: one after which nothing has to be started anew (`burst`), of which several may come in a row, or another. */
export function pickFault(history: History, burst: boolean): readonly [kind: string, fault: Fault] {
  const fitting = Object.entries(kinds).filter(([, kind]) => (kind.burst ?? false) === burst)
  const total = fitting.reduce((sum, [, { weight }]) => sum + weight, 0)
  let at = history.random.below(total)
  for (const [kind, { weight, run }] of fitting) {
    if (at < weight) return [kind, run]
    at -= weight
  }
  throw new RangeError('no fault')
}

/** Why a kind cannot happen here. */
export function impossible(kind: string, history: History, around: Surroundings): boolean {
  if (kind === 'Litestream attached') return around.litestream === undefined
  return history.small === undefined && (kind === 'full file system' || kind.startsWith('read-only'))
}

function isSound(path: string): boolean {
  try {
    const db = new Database(path)
    try {
      return (
        db.pragma('integrity_check', { simple: true }) === 'ok' &&
        db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'log'").pluck().get() === 1
      )
    } finally {
      db.close()
    }
  } catch {
    return false
  }
}
