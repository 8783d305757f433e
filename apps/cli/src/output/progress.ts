import { formatBytes } from './units.ts'

/** The part of a terminal stream that progress needs. */
export interface ProgressStream {
  readonly isTTY?: boolean | undefined
  write(text: string): unknown
}

const REDRAW_MS = 100
/** A longer line would wrap, and could not be removed. */
const STEP_WIDTH = 68

/** A single line on a terminal: bytes, share, rate. Writes nothing when the stream is not a terminal. */
export class Progress {
  readonly #stream: ProgressStream
  readonly #label: string
  readonly #now: () => number
  readonly #start: number
  #drawnAt = Number.NEGATIVE_INFINITY
  #drawn = false

  constructor(label: string, stream: ProgressStream, now: () => number = () => performance.now()) {
    this.#label = label
    this.#stream = stream
    this.#now = now
    this.#start = now()
  }

  /** Bytes done so far, and in all when known. Redraws at most ten times a second. */
  update(bytes: number, totalBytes?: number): void {
    const now = this.#now()
    if (this.#stream.isTTY !== true || now - this.#drawnAt < REDRAW_MS) return
    this.#drawnAt = now
    this.#drawn = true
    const seconds = (now - this.#start) / 1000
    const rate = seconds > 0 ? `  ${formatBytes(Math.round(bytes / seconds))}/s` : ''
    const total = totalBytes === undefined ? '' : ` of ${formatBytes(totalBytes)}`
    const share = totalBytes ? `  ${Math.floor((bytes / totalBytes) * 100)} %` : ''
    this.#stream.write(`\r\u001b[K${this.#label}  ${formatBytes(bytes)}${total}${share}${rate}`)
  }

  /** Says what is being done, where there are no bytes to count. */
  step(text: string): void {
    if (this.#stream.isTTY !== true) return
    this.#drawn = true
    this.#stream.write(`\r\u001b[K${this.#label}  ${text.slice(0, STEP_WIDTH)}`)
  }

  /** Removes the line. */
  end(): void {
    if (this.#drawn) this.#stream.write('\r\u001b[K')
    this.#drawn = false
  }
}
