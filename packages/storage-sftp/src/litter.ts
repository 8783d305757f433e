import type { Connection } from './connection.ts'
import { removeIfThere } from './if-there.ts'
import { ConnectionFailure } from './sftp-errors.ts'

/**
 * Temporary files that could not be removed because the connection had died. They are more than garbage: a rename that was sent and
 * not answered may still be carried out, long after, by a process on the server that hung. Once its source is gone it cannot. So
 * nothing is published before these are removed.
 */
export class Litter {
  readonly #paths = new Set<string>()

  /** Removes a temporary file, now or before the next publication. */
  async discard(connection: Connection | undefined, path: string): Promise<void> {
    this.#paths.add(path)
    if (connection?.isAlive !== true) return
    try {
      await this.#remove(connection, path)
    } catch (error) {
      if (!(error instanceof ConnectionFailure)) throw error
    }
  }

  async clear(connection: Connection): Promise<void> {
    for (const path of this.#paths) await this.#remove(connection, path)
  }

  async #remove(connection: Connection, path: string): Promise<void> {
    await removeIfThere(connection, path)
    this.#paths.delete(path)
  }
}
