import { isWithin } from './diff-scans.ts'
import type { Warnings } from './discovery-events.ts'
import type { FolderWatches, WatchSubscription } from './folder-watches.ts'
import type { Scan, ScannedFolder } from './scan-folder.ts'

interface Entry {
  readonly folder: ScannedFolder
  subscription: WatchSubscription
}

export interface TreeCallbacks {
  /** Something happened to a name; its relative path. */
  onEvent(relpath: string, type: 'rename' | 'change'): void
  /** Something happened, and it is not known what and where. */
  onDoubt(): void
}

/** One watch for each folder of a tree. */
export class TreeWatches {
  readonly #root: string
  readonly #watches: FolderWatches
  readonly #warnings: Warnings
  readonly #callbacks: TreeCallbacks
  readonly #entries = new Map<string, Entry>()
  readonly #unwatched = new Set<string>()
  /** While the root is missing, its name is watched for. */
  #arrival: WatchSubscription | undefined
  #closed = false

  constructor(root: string, watches: FolderWatches, warnings: Warnings, callbacks: TreeCallbacks) {
    this.#root = root
    this.#watches = watches
    this.#warnings = warnings
    this.#callbacks = callbacks
  }

  /** Whether every folder that was added has events. */
  get complete(): boolean {
    return this.#unwatched.size === 0 && this.#entries.has('')
  }

  /** Watches a folder, unless it is watched; anew when another one has taken its place. */
  add(folder: ScannedFolder): void {
    const { relpath, path } = folder
    const before = this.#entries.get(relpath)
    const same = before?.folder.ino === folder.ino && before.folder.dev === folder.dev
    if (before?.subscription.active && same) return
    before?.subscription.close()
    // Another listener may hold a watch of the folder that was there before.
    if (before && !same) this.#watches.renew(path)
    const subscription = this.#watches.watch(
      path,
      (name, type) => {
        if (name === null) this.#callbacks.onDoubt()
        else this.#callbacks.onEvent(relpath === '' ? name : `${relpath}/${name}`, type)
      },
      () => {
        if (relpath === '') this.#callbacks.onDoubt()
        else this.#callbacks.onEvent(relpath, 'rename')
      },
    )
    // Closed from within a callback.
    if (this.#closed) {
      subscription.close()
      return
    }
    this.#entries.set(relpath, { folder, subscription })
    const { error } = subscription
    // A folder that vanished meanwhile is no reason to warn.
    if (error === undefined || error.code === 'ENOENT' || error.code === 'ENOTDIR') {
      this.#unwatched.delete(relpath)
      this.#warnings.end('watch-limit', this.#root)
      return
    }
    this.#unwatched.add(relpath)
    this.#warnings.tell(
      'watch-limit',
      this.#root,
      `${path} is scanned only: ${error.message}${adviceFor(error)}`,
    )
  }

  /** Gives up the watches of folders that a scan, of everything or of these parts, did not come upon. */
  keepOnly(scan: Scan, parts?: ReadonlySet<string>): void {
    const looked = parts && [...parts]
    for (const [relpath, { subscription }] of this.#entries) {
      if (scan.folders.has(relpath)) continue
      if (looked && !looked.some((part) => isWithin(relpath, part))) continue
      // What could not be looked at may be there still.
      if (scan.problems.some((problem) => isWithin(relpath, problem.relpath))) continue
      subscription.close()
      this.#entries.delete(relpath)
      this.#unwatched.delete(relpath)
    }
    this.#awaitRoot()
  }

  #awaitRoot(): void {
    if (this.#closed) return
    if (this.#entries.has('')) {
      this.#arrival?.close()
      this.#arrival = undefined
    } else if (this.#arrival?.active !== true) {
      this.#arrival = this.#watches.watchFile(this.#root, () => this.#callbacks.onDoubt())
      // It may have come in between.
      if (this.#arrival.active) this.#callbacks.onDoubt()
    }
  }

  close(): void {
    this.#closed = true
    this.#arrival?.close()
    for (const { subscription } of this.#entries.values()) subscription.close()
    this.#entries.clear()
    this.#unwatched.clear()
  }
}

function adviceFor({ code }: NodeJS.ErrnoException): string {
  if (code === 'ENOSPC') return '. Raise fs.inotify.max_user_watches.'
  if (code === 'EMFILE') return '. Raise fs.inotify.max_user_instances or the limit of open files.'
  return ''
}
