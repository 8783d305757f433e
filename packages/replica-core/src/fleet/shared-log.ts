import { join } from 'node:path'
import { isPrimaryError } from '../errors.ts'
import { CaptureLog, type LogOptions } from '../state/capture-log.ts'
import { LOG_FOLDER } from './match-path.ts'

/** So many processes may replicate databases of one folder, each with patterns of its own. */
const MOST = 16

/** The log of captures of a fleet, opened when the first database needs it: its folder may be waited for. */
export class SharedLog {
  readonly #folder: string
  readonly #options: LogOptions
  readonly #onNone: (path: string, error: Error) => void
  #opening: Promise<CaptureLog | undefined> | undefined

  /** @param onNone called where there can be no log; each database then writes its own files at once */
  constructor(folder: string, options: LogOptions, onNone: (path: string, error: Error) => void) {
    this.#folder = folder
    this.#options = options
    this.#onNone = onNone
  }

  /** @throws PrimaryError `disk-full`, or the system's error: tried again by the next call */
  open(): Promise<CaptureLog | undefined> {
    this.#opening ??= this.#open().catch((error: unknown) => {
      this.#opening = undefined
      throw error
    })
    return this.#opening
  }

  async close(): Promise<void> {
    const log = await this.#opening?.catch(() => undefined)
    await log?.close()
  }

  async #open(): Promise<CaptureLog | undefined> {
    for (let n = 1; ; n++) {
      const path = join(this.#folder, n === 1 ? LOG_FOLDER : `${LOG_FOLDER}-${n}`)
      try {
        return await CaptureLog.open(path, this.#options)
      } catch (error) {
        if (isPrimaryError(error, 'locked') && n < MOST) continue
        // What a former process left in a log that is there cannot be passed over; a full disk may have room soon.
        if (isPrimaryError(error, 'disk-full') || CaptureLog.existsIn(path)) throw error
        const reason = error instanceof Error ? error : new Error(String(error))
        this.#onNone(path, reason)
        return undefined
      }
    }
  }
}
