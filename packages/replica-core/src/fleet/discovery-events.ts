import type { ChangedFile } from './diff-scans.ts'
import type { Candidate } from './scan-folder.ts'

/**
 * - `watch-limit`: the system has no watches left, or no descriptors for them; this folder is scanned only
 * - `network-file-system`: changes made by other machines bring no events; scans find them
 * - `folder-unreadable`: what is in there stays as it was known
 * - `root-missing`: there is no such folder now; it is waited for
 * - `not-wal-mode`: an SQLite database that cannot be replicated as it is
 * - `same-file`: a second name of a database that is known under another one
 * - `header-unreadable`: whether the file is a database is not known
 * - `scan-failed`: a scan ended early; the next one is not far
 */
export type DiscoveryWarning =
  | 'watch-limit'
  | 'network-file-system'
  | 'folder-unreadable'
  | 'root-missing'
  | 'not-wal-mode'
  | 'same-file'
  | 'header-unreadable'
  | 'scan-failed'

/** What discovery tells. Of one scan: gone, replaced, found, changed, in this order. */
export type DiscoveryEvent =
  | {
      readonly type: 'found'
      readonly candidate: Candidate
      /** Relative path that the same file had; its `gone` came before. */
      readonly movedFrom?: string
    }
  | {
      /** Something was written. Comes at once with a file event, at the latest with the next scan, and may come twice. */
      readonly type: 'changed'
      readonly path: string
      readonly relpath: string
      readonly files: readonly ChangedFile[]
      /** What a scan saw; absent when a file event tells. */
      readonly candidate?: Candidate
    }
  | { readonly type: 'gone'; readonly candidate: Candidate }
  | { readonly type: 'replaced'; readonly candidate: Candidate; readonly before: Candidate }
  | {
      /** Comes once, and again when the condition had ended meanwhile. */
      readonly type: 'warning'
      readonly code: DiscoveryWarning
      readonly path: string
      readonly message: string
    }

/** Callbacks are synchronous and must be cheap; what they throw is ignored. */
export type DiscoveryListener = (event: DiscoveryEvent) => void

/** Tells each warning once, until its condition ends. */
export class Warnings {
  readonly #told = new Set<string>()
  readonly #emit: DiscoveryListener

  constructor(emit: DiscoveryListener) {
    this.#emit = emit
  }

  tell(code: DiscoveryWarning, path: string, message: string): void {
    const key = `${code} ${path}`
    if (this.#told.has(key)) return
    this.#told.add(key)
    this.#emit({ type: 'warning', code, path, message })
  }

  end(code: DiscoveryWarning, path: string): void {
    this.#told.delete(`${code} ${path}`)
  }

  /** Ends a code's warnings for all paths but these. */
  endOthers(code: DiscoveryWarning, paths: ReadonlySet<string>): void {
    for (const key of this.#told) {
      if (key.startsWith(`${code} `) && !paths.has(key.slice(code.length + 1))) this.#told.delete(key)
    }
  }
}
