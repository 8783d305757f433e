import { diffScans, identityOf, isWithin, type ScanChange } from './diff-scans.ts'
import type { DiscoveryListener, DiscoveryWarning, Warnings } from './discovery-events.ts'
import { type AttachedFiles, checkHeader, type DatabaseKind } from './header-check.ts'
import type { Candidate, Scan } from './scan-folder.ts'

type Kind = DatabaseKind | 'unknown'

/** Warnings about one file. */
const CODES: readonly DiscoveryWarning[] = ['not-wal-mode', 'same-file', 'header-unreadable']

interface Known {
  candidate: Candidate
  kind: Kind
  /** Told as found, and not as gone since. */
  told: boolean
}

/**
 * Every file that matches, and what it is. A file is opened when it is new or was written, never again while it
 * stays as it is. Once it was found to be a database in WAL mode it counts as one until it is gone or replaced.
 */
export class KnownFiles {
  readonly #files = new Map<string, Known>()
  /** The path under which a file was told, by device and inode. */
  readonly #told = new Map<string, string>()
  readonly #emit: DiscoveryListener
  readonly #warnings: Warnings
  readonly #attached: AttachedFiles | undefined

  constructor(emit: DiscoveryListener, warnings: Warnings, attached: AttachedFiles | undefined) {
    this.#emit = emit
    this.#warnings = warnings
    this.#attached = attached
  }

  /** Databases that were found, by path. */
  databases(): Candidate[] {
    return [...this.#files.values()].filter((each) => each.told).map((each) => each.candidate)
  }

  /** What a file is as far as known, by its relative path. */
  kind(relpath: string): Kind | undefined {
    return this.#files.get(relpath)?.kind
  }

  /** The database that was told under a relative path. */
  database(relpath: string): Candidate | undefined {
    const known = this.#files.get(relpath)
    return known?.told ? known.candidate : undefined
  }

  /** Takes in a scan of the whole tree, or of these parts of it, and tells what is new. */
  apply(scan: Scan, parts?: ReadonlySet<string>): void {
    const before = new Map<string, Candidate>()
    for (const [relpath, { candidate }] of this.#within(parts)) before.set(relpath, candidate)
    const changes = diffScans(before, scan)
    for (const change of changes) this.#take(change)
    const taken = new Set(changes.map(({ candidate }) => candidate.relpath))
    for (const [relpath, candidate] of scan.candidates) {
      const known = this.#files.get(relpath)
      if (known === undefined || taken.has(relpath)) continue
      known.candidate = candidate
      // What kept us from reading it, too many open files say, is not seen in the file.
      if (known.kind === 'unknown' && !known.told) this.#look(known)
    }
    if (changes.some(({ type }) => type === 'gone' || type === 'replaced')) this.#tellAliases()
  }

  *#within(parts: ReadonlySet<string> | undefined): Iterable<[string, Known]> {
    if (parts === undefined) {
      yield* this.#files
      return
    }
    const folders = [...parts].filter((part) => !this.#files.has(part))
    for (const part of parts) {
      const known = this.#files.get(part)
      if (known) yield [part, known]
    }
    if (folders.length === 0) return
    for (const [relpath, known] of this.#files) {
      if (!parts.has(relpath) && folders.some((folder) => isWithin(relpath, folder))) yield [relpath, known]
    }
  }

  #take(change: ScanChange): void {
    const { candidate } = change
    const { relpath } = candidate
    const known = this.#files.get(relpath)
    if (change.type === 'gone') {
      this.#files.delete(relpath)
      for (const code of CODES) this.#warnings.end(code, candidate.path)
      if (known?.told) this.#untell(known)
    } else if (change.type === 'changed' && known?.told) {
      known.candidate = candidate
      this.#emit({ type: 'changed', path: candidate.path, relpath, files: change.files, candidate })
    } else {
      const kind = this.#kindOf(candidate)
      const now: Known = { candidate, kind, told: false }
      this.#files.set(relpath, now)
      if (change.type === 'replaced' && known?.told) this.#replace(known, now)
      else if (kind === 'wal') this.#tell(now, change.type === 'found' ? change.movedFrom : undefined)
    }
  }

  #look(known: Known): void {
    known.kind = this.#kindOf(known.candidate)
    if (known.kind === 'wal') this.#tell(known)
  }

  #tell(known: Known, movedFrom?: string): void {
    const { candidate } = known
    const identity = identityOf(candidate)
    const other = this.#told.get(identity)
    if (other !== undefined) {
      const message = `${candidate.path} is the same file as ${other}, which is replicated`
      this.#warnings.tell('same-file', candidate.path, message)
      return
    }
    known.told = true
    this.#told.set(identity, candidate.path)
    this.#emit({ type: 'found', candidate, ...(movedFrom !== undefined && { movedFrom }) })
  }

  #untell(known: Known): void {
    this.#told.delete(identityOf(known.candidate))
    this.#emit({ type: 'gone', candidate: known.candidate })
  }

  #replace(before: Known, now: Known): void {
    if (now.kind !== 'wal' || this.#told.has(identityOf(now.candidate))) {
      this.#untell(before)
      if (now.kind === 'wal') this.#tell(now)
      return
    }
    this.#told.delete(identityOf(before.candidate))
    this.#told.set(identityOf(now.candidate), now.candidate.path)
    now.told = true
    this.#emit({ type: 'replaced', candidate: now.candidate, before: before.candidate })
  }

  /** The name that a file was told under is gone; another name of it steps in. */
  #tellAliases(): void {
    for (const known of this.#files.values()) {
      if (known.kind === 'wal' && !known.told && !this.#told.has(identityOf(known.candidate))) {
        this.#warnings.end('same-file', known.candidate.path)
        this.#tell(known)
      }
    }
  }

  #kindOf(candidate: Candidate): Kind {
    const { path } = candidate
    try {
      const kind = checkHeader(candidate, this.#attached)
      this.#warnings.end('header-unreadable', path)
      if (kind === 'not-wal') {
        const message = `${path} is not in WAL mode: PRAGMA journal_mode=WAL, once, makes it so`
        this.#warnings.tell('not-wal-mode', path, message)
      } else this.#warnings.end('not-wal-mode', path)
      return kind
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException
      if (code !== 'ENOENT') this.#warnings.tell('header-unreadable', path, message)
      return 'unknown'
    }
  }
}
