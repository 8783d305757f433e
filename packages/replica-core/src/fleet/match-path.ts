import picomatch from 'picomatch'

/** Which files of a tree are looked at. Globs, on the path relative to the root with `/` on every system. */
export interface PathPatterns {
  /** Default: every file. */
  readonly include?: readonly string[] | undefined
  /** Wins over `include`. A folder that it names is left out with everything in it. */
  readonly exclude?: readonly string[] | undefined
  /** Enters folders whose name begins with a dot. Default false. */
  readonly hidden?: boolean | undefined
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
 * @throws TypeError for a pattern that is empty or leads out of the root
 */
export function pathMatcher(patterns: PathPatterns = {}): PathMatcher {
  const { include, exclude = [], hidden = false } = patterns
  const included = include === undefined ? () => true : anyOf(include)
  const excluded = anyOf(exclude)
  return {
    file: (relpath) => !COMPANION.test(nameOf(relpath)) && included(relpath) && !excluded(relpath),
    folder: (relpath) => {
      if (relpath === '') return true
      const name = nameOf(relpath)
      if (STATE.test(name) || (!hidden && name.startsWith('.'))) return false
      return !excluded(relpath)
    },
  }
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
