import { FolderWatches, type WatchSubscription } from './fleet/folder-watches.ts'

/**
 * Calls back when the WAL of a database is written. An event comes before the commit is visible,
 * and events can be lost (a full kernel queue says nothing), so the caller looks again and polls.
 */
export class WALWatch {
  readonly #wal: string
  readonly #onEvent: () => void
  readonly #watches: FolderWatches
  #subscription: WatchSubscription | undefined

  /**
   * @param onEvent called at once for every event; must be cheap
   * @param watches shared with the other databases of the process, so that a folder is watched once; default: of its own
   */
  constructor(database: string, onEvent: () => void, watches: FolderWatches = new FolderWatches()) {
    this.#wal = `${database}-wal`
    this.#onEvent = onEvent
    this.#watches = watches
    this.open()
  }

  /** Watches again after `close()`. What was written in between brings no event. */
  open(): void {
    this.close()
    // Without events the slow poll still finds everything, later.
    this.#subscription = this.#watches.watchFile(this.#wal, this.#onEvent)
  }

  /** False where the system gives no file events: then only the poll finds commits. */
  get active(): boolean {
    return this.#subscription?.active === true
  }

  close(): void {
    this.#subscription?.close()
    this.#subscription = undefined
  }
}
