import { abortable } from '@sqlstream/storage'

/** Who wants to change the copy. */
interface Change {
  /** Resolves with whether the readers may go on reading it: it is made, or given up. False: it takes too long. */
  readonly over: Promise<boolean>
}

/**
 * Readers of the copy and changes of it, one or the other. A change goes before readers that come later, and tells when it has to wait for long: for a reader, in this process or
 * another one.
 */
export class Gate {
  readonly #holdMs: number
  readonly #onHeld: () => void
  #readers = 0
  #change: Change | undefined
  #last: Promise<unknown> = Promise.resolve()
  #whenFree: (() => void) | undefined

  /** @param onHeld a change has waited for this long, ms: readers that wait for it are told to read elsewhere */
  constructor(holdMs: number, onHeld: () => void) {
    this.#holdMs = holdMs
    this.#onHeld = onHeld
  }

  /** Whether somebody is in. */
  get isRead(): boolean {
    return this.#readers > 0
  }

  /** Lets a reader in. False: it must read elsewhere. Rejects with the signal's reason. */
  async enter(signal: AbortSignal | undefined): Promise<boolean> {
    while (this.#change) if (!(await abortable(this.#change.over, signal))) return false
    this.join()
    return true
  }

  /** Another reader beside one that is in. */
  join(): void {
    this.#readers++
  }

  leave(): void {
    this.#readers--
    if (this.#readers === 0) this.#whenFree?.()
  }

  /** Makes a change when nobody reads, one after the other. Rejects with the signal's reason when it aborts before that. */
  async exclusively<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const before = this.#last
    const done = Promise.withResolvers<void>()
    this.#last = done.promise.then(() => before)
    try {
      await abortable(before, signal)
      return await this.#alone(work, signal)
    } finally {
      done.resolve()
    }
  }

  async #alone<T>(work: () => Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    const { promise: over, resolve } = Promise.withResolvers<boolean>()
    this.#change = { over }
    const timer = setTimeout(() => {
      resolve(false)
      this.#onHeld()
    }, this.#holdMs)
    try {
      const free = new Promise<void>((resolve) => {
        this.#whenFree = resolve
      })
      if (this.#readers > 0) await abortable(free, signal)
      signal?.throwIfAborted()
      return await work()
    } finally {
      clearTimeout(timer)
      this.#whenFree = undefined
      this.#change = undefined
      resolve(true)
    }
  }
}
