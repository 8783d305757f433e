import { join, relative } from 'node:path'
import type { FleetEvent } from '@sqlstream/replica-core'
import type { ControlledDatabase, DatabaseRow } from './control/database-row.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { describeFailure } from './failure.ts'
import { FolderReplication, sourceOf, type WatchedFolder } from './folder-replication.ts'
import { FolderLines, fleetEventJSON, folderStoppedLine } from './output/folder-lines.ts'
import { formatCount } from './output/units.ts'
import { realPath } from './real-path.ts'
import type { RunOptions } from './run-options.ts'

const EVERY_MS = 10_000

/** What a warning means for a run that must say whether everything was done. */
const WARNING_EXIT: Readonly<Record<string, ExitCode>> = {
  'destination-collision': EXIT.conflict,
  'no-destination': EXIT.conflict,
  'not-wal-mode': EXIT.unsupported,
  'folder-unreadable': EXIT.unavailable,
  'header-unreadable': EXIT.unavailable,
  'root-missing': EXIT.notFound,
}

/** The replication of a folder as `replicate` carries it out: with its lines, and the exit code. */
export class FolderRun {
  readonly #o: RunOptions
  readonly #watched: WatchedFolder
  readonly #lines = new FolderLines()
  readonly #warned = new Set<string>()
  #timer: NodeJS.Timeout | undefined
  #replication: FolderReplication | undefined
  #failed = false

  private constructor(watched: WatchedFolder, options: RunOptions) {
    this.#watched = watched
    this.#o = options
  }

  static async start(watched: WatchedFolder, options: RunOptions): Promise<FolderRun> {
    const run = new FolderRun(watched, options)
    run.#replication = await FolderReplication.start(watched, {
      drivers: options.drivers,
      budgets: options.budgets,
      signal: options.signal,
      onOperation: options.activity.operation,
      onWriteLock: options.activity.writeLock,
      onEvent: (event) => run.#onEvent(event),
    })
    run.#begun(run.#replication.databases)
    return run
  }

  /** How all databases stand. */
  rows(): Iterable<DatabaseRow> {
    return this.#replication?.rows() ?? []
  }

  /**
   * The database at an absolute path; undefined when it is not one of the folder.
   * @param real the same without links
   */
  database(path: string, real: string): ControlledDatabase | undefined {
    const { folder } = this.#watched
    const inside = join(folder, relative(this.#realFolder, real))
    for (const each of [path, real, inside]) {
      const found = this.#replication?.database(each)
      if (found !== undefined) return found
    }
    return undefined
  }

  get #realFolder(): string {
    return realPath(this.#watched.folder)
  }

  /** Resolves when everything that was committed before is in the replicas. What is not becomes the exit code. */
  async durable(): Promise<void> {
    const failures = (await this.#replication?.durable(this.#o.signal)) ?? []
    for (const { error } of failures) process.exitCode ??= describeFailure(error).exit
    for (const code of this.#warned)
      if (WARNING_EXIT[code] !== undefined) process.exitCode ??= WARNING_EXIT[code]
    this.#failed = failures.length > 0
  }

  /** Uploads what is left and says what is safe, at the end of the process. */
  async end(): Promise<void> {
    clearInterval(this.#timer)
    const report = await this.#replication?.stop()
    if (report === undefined) return
    const { databases, pendingFiles, incomplete } = report
    if (incomplete.length > 0 && !this.#failed) process.exitCode ??= EXIT.interrupted
    this.#flush()
    if (this.#o.json) {
      const { folder } = this.#watched
      const paths = incomplete.map(({ path }) => path)
      this.#o.tell({
        time: now(),
        type: 'folder-stopped',
        folder,
        databases,
        pendingFiles,
        incomplete: paths,
      })
    } else this.#o.say(`${this.#watched.folder}: ${folderStoppedLine(report)}`)
  }

  #begun(databases: number): void {
    const { folder, location } = this.#watched
    if (this.#o.json) this.#o.tell({ time: now(), type: 'watching', folder, databases })
    else
      this.#o.say(
        `watching ${folder}: ${formatCount(databases, 'database')}, replicating to ${location.display}`,
      )
    this.#timer = setInterval(() => this.#flush(), EVERY_MS)
  }

  #flush(): void {
    if (!this.#o.json) for (const line of this.#lines.flush()) this.#o.say(line)
  }

  #onEvent(event: FleetEvent): void {
    if (event.type === 'primary') this.#o.activity.event(event.event)
    if (event.type === 'open-failed') this.#o.activity.openFailed(event.error)
    if (event.type === 'member' && event.state === 'fenced') process.exitCode = EXIT.fenced
    if (event.type === 'warning') this.#warned.add(event.code)
    if (this.#o.json) {
      const source = event.type === 'warning' ? undefined : sourceOf(this.#watched, event.database)
      this.#o.tell(fleetEventJSON(this.#watched.folder, source, new Date(), event))
      return
    }
    const line = this.#lines.add(event)
    if (line !== undefined) this.#o.say(line)
  }
}

function now(): string {
  return new Date().toISOString()
}
