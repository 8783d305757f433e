import { type BigIntStats, type Dirent, lstatSync, realpathSync, statSync } from 'node:fs'
import { readdir, stat } from 'node:fs/promises'
import { breathe } from '../breathe.ts'
import { type FileSignature, signatureOf, tickOf } from '../sqlite/file-signature.ts'
import type { PathMatcher } from './match-path.ts'

/** A file that may be a database. The signature is that of the file itself, behind a symbolic link too. */
export interface Candidate extends FileSignature {
  /** Absolute, by the name in the tree, also where that is a symbolic link. */
  readonly path: string
  /** Relative to the root, with `/`. */
  readonly relpath: string
  /** The name is a symbolic link. Its file may lie in a folder that is not watched. */
  readonly link: boolean
  /** 0 where the file system does not know when a file was made. */
  readonly birthtimeNs: bigint
  /** Undefined when there is no -wal file. */
  readonly wal?: FileSignature | undefined
  /** False while a write may still follow that changes no time: clocks of file systems have coarse ticks. */
  readonly settled: boolean
}

/** A folder of the tree, as it was before its names were read. */
export interface ScannedFolder {
  readonly path: string
  readonly relpath: string
  readonly dev: bigint
  readonly ino: bigint
}

/** Something that could not be looked at. What was known there is neither confirmed nor refuted. */
export interface ScanProblem {
  readonly path: string
  readonly relpath: string
  readonly error: NodeJS.ErrnoException
}

export interface Scan {
  readonly candidates: ReadonlyMap<string, Candidate>
  readonly folders: ReadonlyMap<string, ScannedFolder>
  readonly problems: readonly ScanProblem[]
}

export interface ScanOptions {
  readonly matcher: PathMatcher
  /** Default true. */
  readonly recursive?: boolean
  /** Where to begin: files and folders relative to the root. Default: the root. What does not exist is left out. */
  readonly from?: Iterable<string>
  /** Called before the names of a folder are read, so that a watch begun in it misses nothing. */
  readonly onFolder?: (folder: ScannedFolder) => void
  /**
   * Asks the file system from other threads: for one that may not answer (network). It costs twice the CPU, so the
   * default is to ask at once and give way every few milliseconds.
   */
  readonly slow?: boolean
  readonly signal?: AbortSignal | undefined
}

const FOLDERS_AT_ONCE = 8
const STATS_AT_ONCE = 32
const SLICE_MS = 4

/**
 * Looks at a tree, or at parts of it. Symbolic links to folders are not followed, those to files are. What cannot be
 * read is a problem of the result and stops nothing; what vanishes meanwhile is as if it had not been there.
 *
 * Rejects only with the signal's reason.
 */
export async function scanFolder(root: string, options: ScanOptions): Promise<Scan> {
  const scanner = new Scanner(root, options)
  await scanner.run(options.from ?? [''])
  return scanner
}

class Scanner implements Scan {
  readonly candidates: Map<string, Candidate> = new Map()
  readonly folders: Map<string, ScannedFolder> = new Map()
  readonly problems: ScanProblem[] = []
  readonly #root: string
  readonly #options: ScanOptions
  #sliceEnd = 0

  constructor(root: string, options: ScanOptions) {
    this.#root = root
    this.#options = options
  }

  async run(from: Iterable<string>): Promise<void> {
    const { matcher, recursive = true } = this.#options
    const folders: string[] = []
    await inParallel(STATS_AT_ONCE, [...from], async (relpath) => {
      if (performance.now() >= this.#sliceEnd) await this.#breathe()
      const path = this.#path(relpath)
      const found = await this.#stat(relpath, path)
      if (found === undefined) return
      const link = isLink(path)
      if (found.isDirectory()) {
        if (relpath === '' || (recursive && !link)) folders.push(relpath)
      } else if (found.isFile() && matcher.file(relpath)) await this.#add(relpath, path, found, true, link)
    })
    // Folders find folders, so the list grows while it is worked through.
    await inParallel(FOLDERS_AT_ONCE, folders, (relpath) => this.#folder(relpath, folders))
  }

  async #folder(relpath: string, folders: string[]): Promise<void> {
    const { matcher, recursive = true, onFolder, slow = false, signal } = this.#options
    signal?.throwIfAborted()
    if (!matcher.folder(relpath) || this.folders.has(relpath)) return
    const path = this.#path(relpath)
    const own = await this.#stat(relpath, path)
    if (!own?.isDirectory()) return
    const folder = { path, relpath, dev: own.dev, ino: own.ino }
    this.folders.set(relpath, folder)
    onFolder?.(folder)
    const entries = await this.#entries(relpath, path)
    const before = relpath === '' ? '' : `${relpath}/`
    const names = new Set(entries.map((entry) => entry.name))
    const files: Dirent[] = []
    for (const entry of entries) {
      if (entry.isDirectory()) {
        if (recursive) folders.push(before + entry.name)
      } else if ((entry.isFile() || entry.isSymbolicLink()) && matcher.file(before + entry.name)) {
        files.push(entry)
      }
    }
    const look = (entry: Dirent): undefined | Promise<void> => {
      const link = entry.isSymbolicLink()
      const mayHaveWAL = link || names.has(`${entry.name}-wal`)
      const inside = before + entry.name
      return this.#file(inside, `${path}/${entry.name}`, mayHaveWAL, link)
    }
    if (slow) {
      await inParallel(STATS_AT_ONCE, files, async (entry) => {
        await look(entry)
      })
      return
    }
    for (const entry of files) {
      // A promise for each file would cost more than asking for it.
      if (performance.now() >= this.#sliceEnd) await this.#breathe()
      void look(entry)
    }
  }

  async #entries(relpath: string, path: string): Promise<Dirent[]> {
    try {
      return await readdir(path, { withFileTypes: true })
    } catch (error) {
      this.#note(relpath, path, error)
      return []
    }
  }

  /** At once unless the file system is slow. */
  #file(relpath: string, path: string, mayHaveWAL: boolean, link: boolean): undefined | Promise<void> {
    const found = this.#stat(relpath, path)
    if (found instanceof Promise) {
      return found.then((stats) => {
        if (stats?.isFile()) return this.#add(relpath, path, stats, mayHaveWAL, link)
      })
    }
    return found?.isFile() ? this.#add(relpath, path, found, mayHaveWAL, link) : undefined
  }

  #add(
    relpath: string,
    path: string,
    found: BigIntStats,
    mayHaveWAL: boolean,
    link: boolean,
  ): undefined | Promise<void> {
    // SQLite keeps the WAL beside the file that a link leads to.
    const wal = mayHaveWAL ? this.#stat(relpath, `${link ? realPath(path) : path}-wal`) : undefined
    if (!(wal instanceof Promise)) {
      this.candidates.set(relpath, candidateOf(relpath, path, link, found, wal))
      return undefined
    }
    return wal.then((stats) => {
      this.candidates.set(relpath, candidateOf(relpath, path, link, found, stats))
    })
  }

  /** Undefined for what is not there, and for what cannot be looked at, which is noted. */
  #stat(relpath: string, path: string): undefined | BigIntStats | Promise<BigIntStats | undefined> {
    if (this.#options.slow) {
      return stat(path, { bigint: true }).catch((error) => this.#note(relpath, path, error))
    }
    try {
      return statSync(path, { bigint: true, throwIfNoEntry: false })
    } catch (error) {
      return this.#note(relpath, path, error)
    }
  }

  async #breathe(): Promise<void> {
    await breathe(this.#options.signal)
    this.#sliceEnd = performance.now() + SLICE_MS
  }

  #note(relpath: string, path: string, error: unknown): undefined {
    const { code } = error as NodeJS.ErrnoException
    // ELOOP: a link that leads to itself leads nowhere.
    if (code === 'ENOENT' || code === 'ENOTDIR' || code === 'ELOOP') return
    this.problems.push({ path, relpath, error: error as NodeJS.ErrnoException })
  }

  #path(relpath: string): string {
    return relpath === '' ? this.#root : `${this.#root}/${relpath}`
  }
}

function candidateOf(
  relpath: string,
  path: string,
  link: boolean,
  found: BigIntStats,
  wal: BigIntStats | undefined,
): Candidate {
  birthsAreReal ??= areBirthsReal()
  return {
    path,
    relpath,
    link,
    birthtimeNs: birthsAreReal ? found.birthtimeNs : 0n,
    ...signatureOf(found),
    wal: wal && signatureOf(wal),
    settled: isSettled(found) && (wal === undefined || isSettled(wal)),
  }
}

let birthsAreReal: boolean | undefined

/**
 * Where a sandbox forbids the newer system call, Node gives the time of the last change for that of birth. Files of
 * /proc have no birth, so they tell.
 */
function areBirthsReal(): boolean {
  if (process.platform !== 'linux') return true
  return statSync('/proc', { bigint: true, throwIfNoEntry: false })?.birthtimeNs === 0n
}

function isSettled({ mtimeNs }: BigIntStats): boolean {
  return Math.abs(Date.now() - Number(mtimeNs) / 1e6) >= tickOf(mtimeNs)
}

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function realPath(path: string): string {
  try {
    return realpathSync.native(path)
  } catch {
    return path
  }
}

/** Works through a list that may grow meanwhile. */
async function inParallel<T>(
  limit: number,
  list: readonly T[],
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0
  let running = 0
  await new Promise<void>((resolve, reject) => {
    const more = () => {
      if (next >= list.length && running === 0) resolve()
      while (running < limit && next < list.length) {
        running++
        work(list[next++] as T).then(() => {
          running--
          more()
        }, reject)
      }
    }
    more()
  })
}
