import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'

/**
 * Calls back when the WAL of a database is written. An event comes before the commit is visible,
 * and events can be lost (a full kernel queue says nothing), so the caller looks again and polls.
 */
export class WALWatch {
  readonly #database: string
  readonly #onEvent: () => void
  #watcher: FSWatcher | undefined

  /** @param onEvent called at once for every event; must be cheap */
  constructor(database: string, onEvent: () => void) {
    this.#database = database
    this.#onEvent = onEvent
    this.open()
  }

  /** Watches again after `close()`. What was written in between brings no event. */
  open(): void {
    this.close()
    const wal = `${basename(this.#database)}-wal`
    try {
      this.#watcher = watch(dirname(this.#database), { persistent: false }, (_type, name) => {
        if (name === null || name === wal) this.#onEvent()
      })
      // Without events the slow poll still finds everything, later.
      this.#watcher.on('error', () => this.close())
    } catch {
      this.#watcher = undefined
    }
  }

  /** False where the system gives no file events: then only the poll finds commits. */
  get active(): boolean {
    return this.#watcher !== undefined
  }

  close(): void {
    this.#watcher?.close()
    this.#watcher = undefined
  }
}
