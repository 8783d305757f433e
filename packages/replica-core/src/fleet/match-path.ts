import picomatch from 'picomatch'

/** Which files of a tree are looked at. Globs, on the path relative to the root with `/` on every system. */
export interface PathPatterns {
  /** Default: every file. */
  readonly include?: readonly string[] | undefined
  /** Wins over `include`. A folder that it names is left out with everything in it. */
  readonly exclude?: readonly string[] | undefined
  /** Enters folders whose name begins with a dot. Default false. */
  readonly hidden?: boolean | undefined
  /** Only one part of all files: each is in exactly one, which its path alone decides. For several processes over one folder. Default: all. */
  readonly partition?: Partition | undefined
}

/** One of so many parts. */
export interface Partition {
  /** From 0. */
  readonly index: number
  readonly of: number
}

export interface PathMatcher {
  /** Whether the file may be a database. */
  file(relpath: string): boolean
  /** Whether what is in the folder counts. */
  folder(relpath: string): boolean
}

/** Files that belong to a database, and what a restore has not finished. */
const COMPANION = /-(?:wal|shm|journal)$|^\..*\.sqlstream-restore|\.sqlstream-old-/
/** Name of the folder with the log of captures of a fleet; a number follows where several processes have one. */
export const LOG_FOLDER = '.sqlstream-log'
/** Local state beside a database, ours and Litestream's, and logs. Who opens and closes a file in there as a reader would drop our own locks on it. */
const STATE = /^\..*-(?:sqlstream|litestream)$|^\.sqlstream-log(?:-\d+)?$/

/**
 * A pattern without a slash matches the name of a file or folder at any depth, one with a slash the whole relative
 * path; a slash at the start stands for the root. Names with a dot at the start match like others.
 *
 * @throws TypeError for a pattern that is empty or leads out of the root; RangeError for a part that is none
 */
export function pathMatcher(patterns: PathPatterns = {}): PathMatcher {
  const { include, exclude = [], hidden = false, partition } = patterns
  const included = include === undefined ? () => true : anyOf(include)
  const excluded = anyOf(exclude)
  const isOurs = inPartition(partition)
  return {
    file: (relpath) =>
      !COMPANION.test(nameOf(relpath)) && isOurs(relpath) && included(relpath) && !excluded(relpath),
    folder: (relpath) => {
      if (relpath === '') return true
      const name = nameOf(relpath)
      if (STATE.test(name) || (!hidden && name.startsWith('.'))) return false
      return !excluded(relpath)
    },
  }
}

function inPartition(partition: Partition | undefined): (relpath: string) => boolean {
  if (partition === undefined) return () => true
  const { index, of } = partition
  if (!Number.isSafeInteger(of) || of < 1 || !Number.isSafeInteger(index) || index < 0 || index >= of)
    throw new RangeError(`${index} of ${of} is no part`)
  return (relpath) => partOf(relpath, of) === index
}

/** The same for ever: processes of different versions share a folder by it. FNV-1a over the UTF-8 bytes, its high bits mixed into the low ones. */
function partOf(relpath: string, of: number): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(relpath)) hash = Math.imul(hash ^ byte, 0x01000193)
  return ((hash ^ (hash >>> 16)) >>> 0) % of
}

function nameOf(relpath: string): string {
  return relpath.slice(relpath.lastIndexOf('/') + 1)
}

function anyOf(patterns: readonly string[]): (relpath: string) => boolean {
  const tests = patterns.map(compile)
  return (relpath) => tests.some((matches) => matches(relpath))
}

function compile(pattern: string): (relpath: string) => boolean {
  const plain = pattern.replace(/^(?:\.?\/)+/, '')
  if (plain === '') throw new TypeError(`the pattern '${pattern}' is empty`)
  if (plain.startsWith('!')) {
    throw new TypeError(`the pattern '${pattern}' begins with an exclamation mark: use exclude instead`)
  }
  if (plain.split('/').includes('..')) throw new TypeError(`the pattern '${pattern}' leads out of the folder`)
  const matches = picomatch(plain, { dot: true, windows: false })
  const byName = !pattern.includes('/')
  return (relpath) => matches(byName ? nameOf(relpath) : relpath)
}
