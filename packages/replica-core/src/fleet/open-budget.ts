import { Slots } from '@sqlstream/storage'

/** How many databases may be open at once, and how many wait for one to rest. */
export class OpenBudget {
  readonly #slots: Slots
  #waiting = 0

  /** @throws RangeError when the limit is not an integer from 1 */
  constructor(limit: number) {
    this.#slots = new Slots(limit)
  }

  /** How many wait. */
  get waiting(): number {
    return this.#waiting
  }

  /** Rejects with the signal's reason. */
  async enter(signal: AbortSignal): Promise<void> {
    this.#waiting++
    try {
      await this.#slots.enter({ signal })
    } finally {
      this.#waiting--
    }
  }

  leave(): void {
    this.#slots.leave()
  }
}
