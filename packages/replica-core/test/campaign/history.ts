import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { isReplicaError, planRestore, Replica, type RestoreTarget, restore, verify } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { withPrefix } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import {
  checkPrefix,
  compareImages,
  databaseImage,
  HOSTILE_MIX,
  lastCommit,
  Random,
  TempFolder,
  WriterProcess,
} from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { Subject } from './subject.ts'
import type { SubjectArguments } from './subject-main.ts'

const PATIENCE_MS = Number(process.env['SQLSTREAM_PATIENCE_MS'] ?? 180_000)
const MIX = { ...HOSTILE_MIX, largeRow: 0.002, bulk: 0.002 }
/** Refusals that a person has to answer; others are retried. */
const NEED_AN_ANSWER = new Set(['behind', 'diverged', 'wrong-database', 'fenced'])
const FILES = ['', '-wal', '-shm']
const MODES = ['primary', 'primary with a log', 'fleet'] as const

/** Counts over all histories. */
export interface Tally {
  readonly faults: Map<string, number>
  readonly refusals: Map<string, number>
  restores: number
}

/** Some databases with their writers, and what replicates them. */
export class History {
  readonly random: Random
  readonly folder = new TempFolder('campaign')
  readonly mode: SubjectArguments['mode']
  readonly names: readonly string[]
  readonly writers = new Map<string, WriterProcess[]>()
  readonly tally: Tally
  /** A file system of its own below the state; undefined where none may be mounted. */
  readonly small: string | undefined
  /** What was durable, and under which TXID, before a fault took commits from the application itself. */
  readonly before = new Map<string, { readonly durable: number; readonly head: RestoreTarget | undefined }>()
  subject!: Subject
  skewMs = 0
  /** The last fault, for messages. */
  last = 'the start'
  #mounted = false

  constructor(seed: number, tally: Tally) {
    this.random = new Random(seed)
    this.tally = tally
    this.mode = MODES[seed % 3]!
    this.names = this.mode === 'fleet' ? ['a.db', 'b.db', 'c.db'] : ['a.db']
    for (const name of ['data', 'commits', 'restored', 'store', 'state']) mkdirSync(this.folder.join(name))
    // Through a link, so that the store can be lost and found between two system calls.
    symlinkSync(this.folder.join('store'), this.replica)
    writeFileSync(this.folder.join('nothing'), '')
    const place =
      this.mode === 'fleet' ? this.folder.join('data', '.sqlstream-log') : this.folder.join('state')
    mkdirSync(place, { recursive: true })
    this.#mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', place]).status === 0
    this.small = this.#mounted ? place : undefined
  }

  get data(): string {
    return this.folder.join('data')
  }

  get replica(): string {
    return this.folder.join('replica')
  }

  get stateDir(): string {
    return this.folder.join('state', 'own')
  }

  get #durableLog(): string {
    return this.folder.join('durable')
  }

  database(name: string): string {
    return this.folder.join('data', name)
  }

  /** The folder with the state of a database. */
  stateOf(name: string): string {
    return this.mode === 'fleet' ? this.folder.join('data', `.${name}-sqlstream`) : this.stateDir
  }

  #logs(name: string): string[] {
    return Array.from({ length: this.mode === 'fleet' ? 1 : 2 }, (_, n) =>
      this.folder.join('commits', `${name}-${n}`),
    )
  }

  committed(name: string): number {
    return Math.max(...this.#logs(name).map(lastCommit))
  }

  async begin(): Promise<void> {
    await Promise.all(this.names.map((name) => this.startWriters(name)))
    this.start()
    await this.settle()
  }

  async startWriters(name: string): Promise<void> {
    const rate = this.mode === 'fleet' ? 30 : 50
    const starting = this.#logs(name).map((commitLog) => {
      const seed = this.random.below(1e9)
      return WriterProcess.start({
        database: this.database(name),
        commitLog,
        mix: MIX,
        rate,
        seed,
        busyTimeoutMs: 30_000,
      })
    })
    this.writers.set(name, await Promise.all(starting))
  }

  async killWriters(name: string): Promise<void> {
    await Promise.all((this.writers.get(name) ?? []).map((writer) => writer.kill()))
  }

  start(options: { readonly failpoint?: string; readonly policy?: 'refuse' | 'snapshot' } = {}): void {
    const { mode, data, names, replica, stateDir, skewMs } = this
    const { policy = 'refuse', failpoint } = options
    const commits = Object.fromEntries(names.map((name) => [name, this.#logs(name)]))
    this.subject = new Subject({
      mode,
      data,
      names,
      replica,
      stateDir,
      skewMs,
      policy,
      commits,
      durableLog: this.#durableLog,
      ...(failpoint !== undefined && { failpoint }),
    })
  }

  durable(): Record<string, number> {
    if (!existsSync(this.#durableLog)) return {}
    // A line may be half written.
    const lines = readFileSync(this.#durableLog, 'utf8').split('\n').slice(0, -1)
    return JSON.parse(lines.at(-1) ?? '{}') as Record<string, number>
  }

  count(kind: string): void {
    this.tally.faults.set(kind, (this.tally.faults.get(kind) ?? 0) + 1)
    this.last = kind
  }

  /**
   * Everything that is committed by now becomes durable, without help, and the process that runs now has reached that even where nothing was
   * left to do: if it refuses to start, that belongs here. Where `allowed` says that a person has to answer, the answer is a snapshot.
   */
  async settle(allowed: readonly string[] = []): Promise<void> {
    const until = performance.now() + PATIENCE_MS
    const target = this.names.map((name) => [name, this.committed(name)] as const)
    for (;;) {
      const durable = this.durable()
      if (target.every(([name, n]) => this.subject.hasReached(name) && (durable[name] ?? 0) >= n)) return
      const refusal = this.subject.refusals.find(({ refused }) => NEED_AN_ANSWER.has(refused))
      if (refusal) {
        if (!allowed.includes(refusal.refused))
          throw new Error(`${refusal.database} was refused: ${refusal.refused}: ${refusal.message}`)
        this.tally.refusals.set(refusal.refused, (this.tally.refusals.get(refusal.refused) ?? 0) + 1)
        await this.subject.killed()
        this.start({ policy: 'snapshot' })
      } else if (this.subject.ended === 4) {
        // Refused for a reason that is over by now; a supervisor starts it again.
        await sleep(50)
        this.start()
      } else if (this.subject.ended !== undefined) {
        throw new Error(`the process ended with ${this.subject.ended}: ${this.subject.stderr}`)
      }
      if (performance.now() > until) {
        const why = this.subject.refusals.slice(-3).map(({ refused, message }) => `${refused}: ${message}`)
        const reports = this.subject.reports.slice(-12).map(({ event, message }) => `${event}: ${message}`)
        throw new Error(
          `not durable after ${PATIENCE_MS} ms: ${JSON.stringify({ target, durable, why, reports })} ${this.subject.stderr}`,
        )
      }
      await sleep(10)
    }
  }

  /** What was reported durable is in the restore, which is proven and sound. */
  async check(name: string): Promise<void> {
    await this.#restore(name, { kind: 'latest' }, this.durable()[name] ?? 0)
  }

  /** After a fault that took commits from the application itself: what was durable is still there, under its TXID. */
  async checkBefore(): Promise<void> {
    for (const [name, { durable, head }] of this.before)
      if (head) await this.#restore(name, head, durable, false)
    this.before.clear()
  }

  /** Now and then, so that faults come close to each other too. */
  async maybeCheck(): Promise<void> {
    if (this.random.chance(0.3)) await this.check(this.random.pick(this.names))
  }

  async #restore(name: string, target: RestoreTarget, atLeast: number, isOurs = true): Promise<void> {
    const replica = new Replica(withPrefix(new FileStore(this.folder.join('store')), `${name}/`))
    const path = this.folder.join('restored', name)
    try {
      const plan = planRestore(await replica.catalog(), target)
      const { proven } = await restore(replica, plan, fileSink(path, { overwrite: true }))
      if (!proven) throw new Error(`${name}: the restore is not proven`)
    } catch (error) {
      if (!isReplicaError(error, 'no-snapshot')) throw error
      if (atLeast > 0) throw new Error(`${name}: ${atLeast} was durable, but there is no snapshot`)
      return
    }
    checkPrefix(path, this.#logs(name), { atLeast, ...(!isOurs && { inFlight: 1_000_000 }) })
    this.tally.restores++
  }

  async checkAll(): Promise<void> {
    for (const name of this.names) await this.check(name)
  }

  /** A fault has taken commits from the application itself: what its database holds now is what counts from here. */
  accept(name: string): void {
    const copy = this.folder.join('accepted.db')
    for (const suffix of ['', '-wal']) {
      rmSync(`${copy}${suffix}`, { force: true })
      if (existsSync(`${this.database(name)}${suffix}`))
        cpSync(`${this.database(name)}${suffix}`, `${copy}${suffix}`)
    }
    rmSync(`${copy}-shm`, { force: true })
    const db = new Database(copy)
    const n = db.prepare('SELECT coalesce(max(n), 0) FROM log').pluck().get() as number
    db.close()
    for (const log of this.#logs(name)) writeFileSync(log, n > 0 ? `${n}\n` : '')
    writeFileSync(this.#durableLog, `${JSON.stringify({ ...this.durable(), [name]: 0 })}\n`)
  }

  /** What there is of a database: its file, what lies beside it, and its state. The log that it shares with others is not among it. */
  copyFiles(name: string, to: string): void {
    rmSync(to, { recursive: true, force: true })
    mkdirSync(to)
    for (const suffix of FILES)
      if (existsSync(`${this.database(name)}${suffix}`))
        cpSync(`${this.database(name)}${suffix}`, `${to}/db${suffix}`)
    cpSync(this.stateOf(name), `${to}/state`, { recursive: true })
  }

  putBack(name: string, from: string): void {
    for (const suffix of FILES) rmSync(`${this.database(name)}${suffix}`, { force: true })
    rmSync(this.stateOf(name), { recursive: true, force: true })
    for (const suffix of FILES)
      if (existsSync(`${from}/db${suffix}`)) cpSync(`${from}/db${suffix}`, `${this.database(name)}${suffix}`)
    cpSync(`${from}/state`, this.stateOf(name), { recursive: true })
  }

  /** Everything stops in order; the restored head must be the database, page by page, and the replica whole. */
  async end(): Promise<void> {
    await this.settle()
    for (const name of this.names) await this.killWriters(name)
    await this.settle()
    this.subject.order('stop')
    const { code, signal } = await this.subject.exited
    if (code !== 0) throw new Error(`the process ended with ${code ?? signal}: ${this.subject.stderr}`)
    for (const name of this.names) {
      await this.check(name)
      const image = await databaseImage(this.database(name), this.folder.join('image.db'))
      if (!compareImages(this.folder.join('restored', name), image.path).equal)
        throw new Error(`${name}: the restored head is not the database`)
      const replica = new Replica(withPrefix(new FileStore(this.folder.join('store')), `${name}/`))
      for await (const finding of verify(replica, { depth: 'bytes' }))
        if (finding.severity === 'error') throw new Error(`${name}: ${finding.message}`)
    }
  }

  /** Ends all processes and removes all files, or keeps them where `keep` says. */
  async dispose(keep?: string): Promise<void> {
    this.subject?.kill('SIGCONT')
    await this.subject?.killed()
    for (const name of this.names) {
      for (const writer of this.writers.get(name) ?? []) writer.resume()
      await this.killWriters(name)
    }
    if (keep !== undefined) rmSync(keep, { recursive: true, force: true })
    if (keep !== undefined) cpSync(this.folder.path, keep, { recursive: true })
    if (this.#mounted) spawnSync('umount', ['-l', this.small as string])
    this.folder.remove()
  }
}
