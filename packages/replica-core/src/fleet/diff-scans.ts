import { type FileSignature, sameSignature } from '../sqlite/file-signature.ts'
import type { Candidate, Scan, ScanProblem } from './scan-folder.ts'

/** What differs between two looks at a tree. */
export type ScanChange =
  | { readonly type: 'gone'; readonly candidate: Candidate }
  | {
      /** Another file stands under the name. */
      readonly type: 'replaced'
      readonly candidate: Candidate
      readonly before: Candidate
    }
  | {
      readonly type: 'found'
      readonly candidate: Candidate
      /** Relative path that this very file had before, when it is gone from there. */
      readonly movedFrom?: string
    }
  | {
      readonly type: 'changed'
      readonly candidate: Candidate
      readonly files: readonly ChangedFile[]
    }

/** `wal` stands also for a -wal file that came or went. */
export type ChangedFile = 'database' | 'wal'

const ORDER = { gone: 0, replaced: 1, found: 2, changed: 3 }

/**
 * Compares what was known with what is there: what is gone, then what was replaced, found (files before links to
 * them) and changed, each by path. What could not be looked at again counts as unchanged. `before` has the part of the
 * tree that `after` looked at, no more.
 */
export function diffScans(before: ReadonlyMap<string, Candidate>, after: Scan): ScanChange[] {
  const changes: ScanChange[] = []
  const gone = new Map<string, Candidate>()
  for (const [relpath, old] of before) {
    const candidate = after.candidates.get(relpath)
    if (candidate === undefined) {
      if (isDoubtful(relpath, after.problems)) continue
      changes.push({ type: 'gone', candidate: old })
      gone.set(identityOf(old), old)
    } else if (isReplaced(old, candidate)) changes.push({ type: 'replaced', candidate, before: old })
    else {
      const files = changedFiles(old, candidate)
      if (files.length > 0) changes.push({ type: 'changed', candidate, files })
    }
  }
  for (const [relpath, candidate] of after.candidates) {
    if (before.has(relpath)) continue
    const from = gone.get(identityOf(candidate))
    const moved = from !== undefined && !isReplaced(from, candidate)
    changes.push({ type: 'found', candidate, ...(moved && { movedFrom: from.relpath }) })
  }
  return changes.sort(compareChanges)
}

/** The file's own name, which it keeps under any path. */
export function identityOf({ dev, ino }: Candidate): string {
  return `${dev}:${ino}`
}

/** Inodes are used again at once by some file systems, so the time of birth counts too, where it is known. */
function isReplaced(old: Candidate, now: Candidate): boolean {
  if (old.ino !== now.ino || old.dev !== now.dev) return true
  return old.birthtimeNs > 0n && now.birthtimeNs > 0n && old.birthtimeNs !== now.birthtimeNs
}

function changedFiles(old: Candidate, now: Candidate): ChangedFile[] {
  const files: ChangedFile[] = []
  if (differs(old, now)) files.push('database')
  if (differs(old.wal, now.wal)) files.push('wal')
  // A write in the same tick of the file system's clock as the last look leaves the times as they were.
  if (files.length === 0 && !old.settled) files.push(now.wal === undefined ? 'database' : 'wal')
  return files
}

function differs(a: FileSignature | undefined, b: FileSignature | undefined): boolean {
  if (a === undefined || b === undefined) return a !== b
  return !sameSignature(a, b)
}

function isDoubtful(relpath: string, problems: readonly ScanProblem[]): boolean {
  return problems.some((each) => isWithin(relpath, each.relpath))
}

/** Whether a relative path is `folder` or lies in it. */
export function isWithin(relpath: string, folder: string): boolean {
  return folder === '' || relpath === folder || relpath.startsWith(`${folder}/`)
}

function compareChanges(a: ScanChange, b: ScanChange): number {
  return (
    ORDER[a.type] - ORDER[b.type] ||
    Number(a.type === 'found' && a.candidate.link) - Number(b.type === 'found' && b.candidate.link) ||
    (a.candidate.relpath < b.candidate.relpath ? -1 : 1)
  )
}
