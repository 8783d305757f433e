import { formatTXID, type TXID } from '@sqlstream/ltx'
import type { PrimaryEvent } from '@sqlstream/replica-core'
import { formatBytes, formatCount } from './units.ts'

const EVERY_MS = 10_000

/** Counts uploads and gives one line about them every ten seconds, so that a busy database does not flood a log. */
export class UploadSummary {
  readonly #now: () => number
  #since: number
  #files = 0
  #bytes = 0
  #txid: TXID | undefined

  constructor(now: () => number = () => performance.now()) {
    this.#now = now
    this.#since = now()
  }

  /** Takes note of an event; returns a line when one is due. */
  add(event: PrimaryEvent): string | undefined {
    if (event.type !== 'uploaded') return undefined
    this.#files++
    this.#bytes += event.bytes
    this.#txid = event.file.maxTXID
    return this.#now() - this.#since >= EVERY_MS ? this.flush() : undefined
  }

  /** A line about what was not reported yet; undefined when there is nothing. */
  flush(): string | undefined {
    this.#since = this.#now()
    if (this.#files === 0 || this.#txid === undefined) return undefined
    const line = `uploaded ${formatCount(this.#files, 'file')}, ${formatBytes(this.#bytes)}, up to TXID ${formatTXID(this.#txid)}`
    this.#files = 0
    this.#bytes = 0
    return line
  }
}
