import type { PrimaryEvent } from '@sqlstream/replica-core'
import { CLIError } from '../cli-error.ts'
import { spellDuration } from '../duration.ts'

const PROGRESS: ReadonlySet<PrimaryEvent['type']> = new Set([
  'uploaded',
  'snapshotted',
  'snapshot-progress',
  'resynced',
])

/** How long it is tried to upload what an application has left behind: for as long as it goes on, and no longer. */
export class DrainLimit implements Disposable {
  readonly #limit = new AbortController()
  readonly #patienceMs: number
  #timer: NodeJS.Timeout | undefined

  constructor(patienceMs: number) {
    this.#patienceMs = patienceMs
  }

  get signal(): AbortSignal {
    return this.#limit.signal
  }

  begin(): void {
    this.#timer = setTimeout(() => {
      const patience = spellDuration(this.#patienceMs)
      this.#limit.abort(new CLIError('timed-out', `nothing could be uploaded for ${patience}`))
    }, this.#patienceMs)
  }

  readonly onEvent = ({ type }: PrimaryEvent): void => {
    if (PROGRESS.has(type)) this.#timer?.refresh()
  };

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
  }
}
