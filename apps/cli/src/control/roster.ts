import type { MemberState } from '@sqlstream/replica-core'
import { abortable } from '@sqlstream/storage'
import { CLIError } from '../cli-error.ts'
import type { WatchedFolder } from '../folder-replication.ts'
import { FolderRun } from '../folder-run.ts'
import { PairRun } from '../pair-run.ts'
import { type PairOptions, pairsFromWords } from '../pairs.ts'
import { realPath } from '../real-path.ts'
import type { Pair } from '../replication.ts'
import type { RunOptions } from '../run-options.ts'
import type { ChangeJSON, SyncJSON } from './api-schema.ts'
import { changeJSON, syncJSON } from './api-values.ts'
import type { ControlledDatabase, DatabaseRow } from './database-row.ts'

/** What a running `replicate` replicates, and what can be changed about that while it runs. */
export class Roster {
  readonly #o: RunOptions
  /** For databases that are registered later. */
  readonly #defaults: PairOptions
  /** By path without links. */
  readonly #pairs = new Map<string, PairRun>()
  readonly #folders: FolderRun[] = []
  readonly #fenced = Promise.withResolvers<void>()
  readonly #onAnyFenced: (error: Error) => void
  #closing: Promise<void> | undefined

  /** @param onAnyFenced called when one of the databases that were named is fenced, with why */
  constructor(
    options: RunOptions,
    defaults: PairOptions,
    onAnyFenced: (error: Error) => void = () => undefined,
  ) {
    this.#o = options
    this.#defaults = defaults
    this.#onAnyFenced = onAnyFenced
  }

  /** Resolves when every database was fenced, so that nothing is left to do; in a folder there always may be. */
  get fenced(): Promise<void> {
    return this.#fenced.promise
  }

  /** Starts them all; when one cannot start, none runs: a mistake in a deployment must be seen at once. */
  async start(pairs: readonly Pair[], folders: readonly WatchedFolder[]): Promise<void> {
    for (const pair of pairs) {
      const run = this.#newRun(pair)
      this.#pairs.set(realPath(pair.database), run)
      await run.start()
    }
    for (const folder of folders) this.#folders.push(await FolderRun.start(folder, this.#o))
  }

  /** Starts one; when it cannot start, it is no part of this. @throws what keeps it from being started */
  async begin(pair: Pair, signal?: AbortSignal): Promise<void> {
    const key = realPath(pair.database)
    // Behind an await another request may have been quicker.
    if (this.#pairs.has(key)) throw new CLIError('already-registered', `${pair.database} is being registered`)
    const run = this.#newRun(pair)
    this.#pairs.set(key, run)
    try {
      await run.start(signal)
    } catch (error) {
      this.#pairs.delete(key)
      throw error
    }
  }

  /** Takes in one that is not there yet, to be started by whoever sees it come. */
  expect(pair: Pair): PairRun {
    const run = this.#newRun(pair)
    run.expect()
    this.#pairs.set(realPath(pair.database), run)
    return run
  }

  /**
   * Everything that is committed goes into the replicas, for as long as the signal lets it; then all are let go, and nothing can be
   * changed any more. Returns, for each database of which not everything is there, why.
   */
  async drain(signal: AbortSignal): Promise<ReadonlyMap<string, Error>> {
    const left = new Map<string, Error>()
    const drained = [...this.#pairs.values()].map(async (run) => {
      const failure = await run.drain(signal)
      if (failure !== undefined) left.set(run.pair.database, failure)
    })
    this.#closing ??= Promise.all(drained).then(() => undefined)
    await this.#closing
    return left
  }

  /** Resolves when everything that was committed before is in the replicas. */
  async durable(): Promise<void> {
    await Promise.all([
      ...[...this.#pairs.values()].map((run) => run.sync(this.#o.signal)),
      ...this.#folders.map((run) => run.durable()),
    ])
  }

  /** Uploads what is left, of all. Nothing can be changed any more. */
  close(): Promise<void> {
    this.#closing ??= this.#close()
    return this.#closing
  }

  /** How all databases stand. */
  *rows(): Iterable<DatabaseRow> {
    for (const run of this.#pairs.values()) yield run.row
    for (const folder of this.#folders) yield* folder.rows()
  }

  /** The database at an absolute path. @throws CLIError `unknown-database` */
  database(path: string): ControlledDatabase {
    const found = this.#find(path)
    if (found === undefined) {
      throw new CLIError(
        'unknown-database',
        `${path} is not replicated by this process`,
        'sqlstream status --live shows what is; sqlstream register <db> <url> adds one',
      )
    }
    return found
  }

  /** Everything that was committed before is in the replica then. @throws CLIError, and what keeps it from being so */
  async sync(path: string, signal: AbortSignal): Promise<SyncJSON> {
    const started = performance.now()
    const database = this.database(path)
    const txid = await database.sync(signal)
    return syncJSON(database.row, txid, performance.now() - started)
  }

  async startDatabase(path: string, signal: AbortSignal): Promise<ChangeJSON> {
    this.#assertOpen()
    const database = this.database(path)
    const before = database.row.state
    await abortable(database.start(signal), signal)
    return changeJSON(database.row, RUNS.has(before) ? 'already-started' : 'started')
  }

  async stopDatabase(path: string, signal: AbortSignal): Promise<ChangeJSON> {
    this.#assertOpen()
    const database = this.database(path)
    const before = database.row.state
    const report = await database.stop(signal)
    return changeJSON(database.row, before === 'stopped' ? 'already-stopped' : 'stopped', report)
  }

  /** For the life of this process. @throws CLIError `usage`, `already-registered`; what keeps it from being started */
  async register(path: string, url: string, signal: AbortSignal): Promise<ChangeJSON> {
    this.#assertOpen()
    const key = realPath(path)
    const [pair] = await pairsFromWords([path, url], this.#o.drivers, this.#defaults)
    if (pair === undefined) throw new TypeError('no pair')
    const known = this.#find(path)
    if (known !== undefined) {
      if (this.#pairs.get(key)?.pair.url === url) return changeJSON(known.row, 'already-registered')
      throw new CLIError(
        'already-registered',
        `${path} is replicated to ${known.row.replica}`,
        'sqlstream unregister it first',
      )
    }
    await this.#assertPlaceIsFree(pair)
    await this.begin(pair, signal)
    return changeJSON(this.database(path).row, 'registered')
  }

  /** Stops it and forgets it. @throws CLIError `unknown-database`, `member-of-folder` */
  async unregister(path: string, signal: AbortSignal): Promise<ChangeJSON> {
    this.#assertOpen()
    const key = realPath(path)
    const run = this.#pairs.get(key)
    if (run === undefined) {
      this.database(path)
      throw new CLIError(
        'member-of-folder',
        `${path} is one of a folder that is replicated`,
        'sqlstream stop lets it go; to leave it out, say so with "exclude"',
      )
    }
    const report = await run.stop(signal)
    const { row } = run
    if (this.#pairs.get(key) === run) this.#pairs.delete(key)
    return changeJSON(row, 'unregistered', report)
  }

  #find(path: string): ControlledDatabase | undefined {
    const real = realPath(path)
    const pair = this.#pairs.get(real)
    if (pair !== undefined) return pair
    for (const folder of this.#folders) {
      const found = folder.database(path, real)
      if (found !== undefined) return found
    }
    return undefined
  }

  #newRun(pair: Pair): PairRun {
    const run: PairRun = new PairRun(pair, this.#o, () => this.#onFenced(run))
    return run
  }

  #onFenced(run: PairRun): void {
    const { state, lastError } = run.row
    // While it is being opened, it is said once more when it is open.
    if (state === 'fenced' && lastError !== undefined) this.#onAnyFenced(lastError)
    const runs = [...this.#pairs.values()]
    if (this.#folders.length === 0 && runs.every((run) => run.row.state === 'fenced')) this.#fenced.resolve()
  }

  async #assertPlaceIsFree({ url }: Pair): Promise<void> {
    const { drivers } = this.#o
    const { href } = (await drivers.locate(url)).url
    for (const { pair } of this.#pairs.values()) {
      if ((await drivers.locate(pair.url)).url.href === href)
        throw new CLIError('usage', 'two databases cannot share one replica', 'give each its own folder')
    }
  }

  #assertOpen(): void {
    if (this.#closing !== undefined || this.#o.signal.aborted)
      throw new CLIError('stopping', 'the process is about to end', 'start another one')
  }

  async #close(): Promise<void> {
    const ends = [...this.#pairs.values(), ...this.#folders].map((run) => run.end())
    const results = await Promise.allSettled(ends)
    for (const result of results) if (result.status === 'rejected') throw result.reason
  }
}

/** States in which there is nothing to start. */
const RUNS: ReadonlySet<MemberState> = new Set(['open', 'resting'])
