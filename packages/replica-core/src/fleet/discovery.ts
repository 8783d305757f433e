import { resolve } from 'node:path'
import { tell } from '../events.ts'
import type { DiscoveryListener } from './discovery-events.ts'
import { Warnings } from './discovery-events.ts'
import type { FolderWatches } from './folder-watches.ts'
import type { AttachedFiles } from './header-check.ts'
import { KnownFiles } from './known-files.ts'
import { type PathMatcher, type PathPatterns, pathMatcher } from './match-path.ts'
import { networkFileSystem } from './network-file-system.ts'
import { type Candidate, type Scan, scanFolder } from './scan-folder.ts'
import { TreeWatches } from './tree-watches.ts'

const SCAN_MS = 30_000
/** Without events, scans come so much sooner... */
const UNWATCHED_SCAN_MS = 5_000
/** ...but take no more than a fiftieth of the time. */
const LONGEST_SHARE = 50
/** Beside events they are a second look, which must not cost an idle fleet its processor: a two hundredth of the time... */
const LONGEST_SHARE_WATCHED = 200
/** ...unless that is longer than this: what was slow once may be quick now. */
const LONGEST_PAUSE_MS = 300_000
/** Names are looked at so long after the first event of a burst. */
const NAMES_MS = 20
/** With more names than this a scan of everything is cheaper. */
const MOST_NAMES = 1000

export interface DiscoveryOptions extends PathPatterns {
  /** The folder to look in. It may be missing, and come later. */
  readonly path: string
  /** Folders in it too. Default true. */
  readonly recursive?: boolean
  /** Between two scans of everything, ms, give or take a fifth. Default 30,000; without file events 5,000 at most. */
  readonly scanIntervalMs?: number
  /** Shared by the process, so that a folder is watched once. */
  readonly watches: FolderWatches
  /** Which databases must not be opened. Default: those that this thread has attached. */
  readonly attached?: AttachedFiles
  /** For tests. */
  readonly fileSystem?: (path: string) => Promise<string | undefined>
  /** Ends it, like `close()`. */
  readonly signal?: AbortSignal
}

/**
 * The databases in a folder, and what becomes of them. A comparison of scans decides; file events only make it
 * quicker, since they can be lost, and make no difference to what is found (SPEC.md, "Finding databases").
 */
export class Discovery {
  readonly root: string
  readonly #options: DiscoveryOptions
  readonly #matcher: PathMatcher
  readonly #emit: DiscoveryListener
  readonly #warnings: Warnings
  readonly #known: KnownFiles
  readonly #tree: TreeWatches
  readonly #abort = new AbortController()
  readonly #endSuspicion: () => void
  /** Relative paths that an event named. */
  #names = new Set<string>()
  #everything = false
  #waiting: PromiseWithResolvers<void>[] = []
  #running: Promise<void> | undefined
  #scanTimer: NodeJS.Timeout | undefined
  #namesTimer: NodeJS.Timeout | undefined
  #network: string | undefined
  #lastScanMs = 0

  private constructor(options: DiscoveryOptions, listener: DiscoveryListener) {
    this.#options = options
    this.root = resolve(options.path)
    this.#matcher = pathMatcher(options)
    this.#emit = (event) => {
      if (!this.#abort.signal.aborted) tell(listener, event)
    }
    this.#warnings = new Warnings(this.#emit)
    this.#known = new KnownFiles(this.#emit, this.#warnings, options.attached)
    this.#tree = new TreeWatches(this.root, options.watches, this.#warnings, {
      onEvent: (relpath, type) => this.#onEvent(relpath, type),
      onDoubt: () => this.#scanSoon(),
    })
    this.#endSuspicion = options.watches.onSuspect(() => this.#scanSoon())
  }

  /**
   * Scans the folder and goes on watching it. Resolves when everything that is there has been told.
   *
   * @throws TypeError for a wrong pattern; else only the reason of the signal
   */
  static async open(options: DiscoveryOptions, listener: DiscoveryListener): Promise<Discovery> {
    options.signal?.throwIfAborted()
    const discovery = new Discovery(options, listener)
    options.signal?.addEventListener('abort', discovery.#onAbort, { once: true })
    try {
      await discovery.scan()
    } catch (error) {
      await discovery.close()
      throw error
    }
    return discovery
  }

  /** What is there, as of the last scan or event. */
  get databases(): Candidate[] {
    return this.#known.databases()
  }

  /** False while changes are found by scans alone, in part of the tree at least. */
  get hasEvents(): boolean {
    return this.#network === undefined && this.#tree.complete
  }

  /** Looks at everything now. Resolves when a scan that began after this call has been told. */
  scan(): Promise<void> {
    if (this.#abort.signal.aborted) return Promise.reject(this.#abort.signal.reason)
    const waiting = Promise.withResolvers<void>()
    this.#waiting.push(waiting)
    this.#scanSoon()
    return waiting.promise
  }

  /** Ends watches and timers, and a scan under way. Nothing is told afterwards. */
  async close(): Promise<void> {
    this.#onAbort()
    await this.#running
  }

  readonly #onAbort = (): void => {
    if (this.#abort.signal.aborted) return
    const { signal } = this.#options
    this.#abort.abort(signal?.aborted ? signal.reason : new Error('discovery is closed'))
    signal?.removeEventListener('abort', this.#onAbort)
    clearTimeout(this.#scanTimer)
    clearTimeout(this.#namesTimer)
    this.#endSuspicion()
    this.#tree.close()
    for (const each of this.#waiting.splice(0)) each.reject(this.#abort.signal.reason)
  }

  #onEvent(relpath: string, type: 'rename' | 'change'): void {
    const companion = /^(.+)-(wal|shm|journal)$/s.exec(relpath)
    if (companion && companion[2] !== 'wal') return
    const file = companion?.[1] ?? relpath
    const database = this.#known.database(file)
    if (database && (companion || type === 'change')) {
      const files = companion ? (['wal'] as const) : (['database'] as const)
      this.#emit({ type: 'changed', path: database.path, relpath: file, files })
      return
    }
    // A database's own name came or went: another file may stand there now.
    if (database) {
      this.#names.add(file)
    } else if (type === 'change' && this.#known.kind(file) === 'not-a-database') {
      // A log file, say. Should it become a database after all, then the next scan will tell.
      return
    } else if (!this.#matcher.file(file) && !this.#matcher.folder(file)) return
    this.#names.add(file)
    this.#namesTimer ??= setTimeout(() => {
      this.#namesTimer = undefined
      this.#wake()
    }, NAMES_MS)
  }

  #scanSoon(): void {
    this.#everything = true
    this.#wake()
  }

  #wake(): void {
    if (this.#abort.signal.aborted) return
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      // Asked for between the last look at the queue and now.
      if (this.#everything) this.#wake()
    })
  }

  /** One scan after the other, until nothing is left to look at. Never rejects. */
  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted && (this.#everything || this.#names.size > 0)) {
      const names = this.#names
      this.#names = new Set()
      const all = this.#everything || names.size > MOST_NAMES
      this.#everything = false
      const waiting = all ? this.#waiting.splice(0) : []
      try {
        if (all) await this.#scanEverything()
        else await this.#scanNames(names)
        for (const each of waiting) each.resolve()
      } catch (error) {
        for (const each of waiting) each.reject(error)
        this.#warnings.tell('scan-failed', this.root, (error as Error).message)
      }
      if (all) this.#schedule()
    }
  }

  async #scanEverything(): Promise<void> {
    const begin = performance.now()
    this.#network = await (this.#options.fileSystem ?? networkFileSystem)(this.root)
    const scan = await this.#scan()
    this.#tree.keepOnly(scan)
    this.#known.apply(scan)
    this.#tellProblems(scan)
    this.#lastScanMs = performance.now() - begin
  }

  /** A name may be a file or a folder now, and have been the other before. */
  async #scanNames(names: ReadonlySet<string>): Promise<void> {
    const scan = await this.#scan(names)
    this.#tree.keepOnly(scan, names)
    this.#known.apply(scan, names)
  }

  #scan(from?: Iterable<string>): Promise<Scan> {
    const { recursive = true } = this.#options
    return scanFolder(this.root, {
      matcher: this.#matcher,
      recursive,
      ...(from && { from }),
      onFolder: (folder) => {
        if (!this.#abort.signal.aborted) this.#tree.add(folder)
      },
      slow: this.#network !== undefined,
      signal: this.#abort.signal,
    })
  }

  #tellProblems(scan: Scan): void {
    this.#warnings.end('scan-failed', this.root)
    for (const { path, error } of scan.problems) this.#warnings.tell('folder-unreadable', path, error.message)
    this.#warnings.endOthers('folder-unreadable', new Set(scan.problems.map(({ path }) => path)))
    if (this.#network === undefined) this.#warnings.end('network-file-system', this.root)
    else {
      const message = `${this.root} is on ${this.#network}: changes by other machines bring no events, scans find them`
      this.#warnings.tell('network-file-system', this.root, message)
    }
    if (scan.folders.has('') || scan.problems.some(({ relpath }) => relpath === '')) {
      this.#warnings.end('root-missing', this.root)
    } else this.#warnings.tell('root-missing', this.root, `there is no folder ${this.root}`)
  }

  #schedule(): void {
    clearTimeout(this.#scanTimer)
    if (this.#abort.signal.aborted) return
    const { scanIntervalMs = SCAN_MS } = this.#options
    const wanted = this.hasEvents ? scanIntervalMs : Math.min(scanIntervalMs, UNWATCHED_SCAN_MS)
    const least = this.hasEvents
      ? Math.min(this.#lastScanMs * LONGEST_SHARE_WATCHED, LONGEST_PAUSE_MS)
      : this.#lastScanMs * LONGEST_SHARE
    const interval = Math.max(wanted, least) * (0.8 + Math.random() * 0.4)
    this.#scanTimer = setTimeout(() => this.#scanSoon(), interval)
  }
}
