import type { ReplicationEvent } from './events.ts'

/** Events that nobody has taken; then the oldest go. */
const MOST = 1000

/** Those who listen, and streams of events for those who iterate. */
export class EventHub {
  readonly #listeners = new Set<(event: ReplicationEvent) => void>()
  readonly #ends = new Set<() => void>()
  #closed = false

  on(listener: (event: ReplicationEvent) => void): () => void {
    // One that is given twice is called twice.
    const own = (event: ReplicationEvent): void => listener(event)
    this.#listeners.add(own)
    return () => this.#listeners.delete(own)
  }

  emit(event: ReplicationEvent): void {
    for (const listener of [...this.#listeners]) {
      try {
        listener(event)
      } catch {
        // Its mistake must not stop a backup.
      }
    }
  }

  /** Ends all streams. */
  close(): void {
    this.#closed = true
    for (const end of [...this.#ends]) end()
  }

  async *stream(signal?: AbortSignal): AsyncGenerator<ReplicationEvent, void, undefined> {
    const waiting: ReplicationEvent[] = []
    let skipped = 0
    let wake = (): void => undefined
    const off = this.on((event) => {
      if (waiting.push(event) > MOST) {
        waiting.shift()
        skipped++
      }
      wake()
    })
    const end = (): void => wake()
    this.#ends.add(end)
    signal?.addEventListener('abort', end, { once: true })
    try {
      while (true) {
        signal?.throwIfAborted()
        if (skipped > 0) {
          const count = skipped
          skipped = 0
          yield { type: 'events-skipped', time: new Date(), count }
        }
        const event = waiting.shift()
        if (event !== undefined) yield event
        else if (this.#closed) return
        else {
          await new Promise<void>((resolve) => {
            wake = resolve
          })
        }
      }
    } finally {
      off()
      this.#ends.delete(end)
      signal?.removeEventListener('abort', end)
    }
  }
}
