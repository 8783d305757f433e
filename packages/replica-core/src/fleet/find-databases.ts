import { checkHeader, type DatabaseKind } from './header-check.ts'
import { type PathPatterns, pathMatcher } from './match-path.ts'
import { type ScanProblem, scanFolder } from './scan-folder.ts'

/** Where databases are looked for. */
export interface FindOptions extends PathPatterns {
  /** Folders in it too. Default true. */
  readonly recursive?: boolean | undefined
  readonly signal?: AbortSignal | undefined
}

/** A database in WAL mode that was found. */
export interface FoundDatabase {
  /** Absolute, if the folder's path is. */
  readonly path: string
  /** Relative to the folder, with slashes. */
  readonly relpath: string
}

export interface FoundDatabases {
  /** By path. A file that has several names is listed under each. */
  readonly databases: readonly FoundDatabase[]
  /** What could not be looked at. */
  readonly problems: readonly Pick<ScanProblem, 'path' | 'error'>[]
}

/**
 * The databases that a fleet would find in a folder now. Opens none of them as a database; of each file it reads the header.
 *
 * @throws TypeError for a wrong pattern; the reason of the signal
 */
export async function findDatabases(root: string, options: FindOptions = {}): Promise<FoundDatabases> {
  const { recursive = true, signal } = options
  const scan = await scanFolder(root, { matcher: pathMatcher(options), recursive, signal })
  const problems: Pick<ScanProblem, 'path' | 'error'>[] = [...scan.problems]
  const databases: FoundDatabase[] = []
  for (const candidate of scan.candidates.values()) {
    const { path, relpath } = candidate
    let kind: DatabaseKind
    try {
      kind = checkHeader(candidate)
    } catch (error) {
      // It went meanwhile.
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') continue
      problems.push({ path, error: error as NodeJS.ErrnoException })
      continue
    }
    if (kind === 'wal') databases.push({ path, relpath })
  }
  databases.sort((a, b) => (a.relpath < b.relpath ? -1 : 1))
  return { databases, problems }
}
