import type { ReplicationEvent } from '../library/events.ts'
import type { FromEngine } from '../library/messages.ts'
import type { Wire } from '../library/wire.ts'

type WireEvent = Wire<ReplicationEvent>

/** Events that the system has not taken yet. */
const MOST_ON_THE_WAY = 32
const MOST_WAITING = 256
/** They come all the time, and each says what the next one says again. */
const FREQUENT: ReadonlySet<string> = new Set([
  'captured',
  'uploaded',
  'checkpointed',
  'snapshot-progress',
  'member',
])

/** Sends messages to the application; calls back when one was taken. */
export type Send = (message: FromEngine, taken: () => void) => void

/** What goes to the application. One that does not listen must not fill the memory of the engine: then frequent events are left out. */
export class Outbox {
  readonly #send: Send
  readonly #waiting: WireEvent[] = []
  #onTheWay = 0
  #skipped = 0

  constructor(send: Send) {
    this.#send = send
  }

  /** Everything but events: never left out. Resolves when the system has taken it. */
  message(message: FromEngine): Promise<void> {
    return new Promise((resolve) => this.#send(message, resolve))
  }

  event(event: WireEvent): void {
    this.#waiting.push(event)
    this.#drain()
    if (this.#waiting.length <= MOST_WAITING) return
    const frequent = this.#waiting.findIndex(({ type }) => FREQUENT.has(type))
    this.#waiting.splice(Math.max(frequent, 0), 1)
    this.#skipped++
  }

  #drain(): void {
    while (this.#onTheWay < MOST_ON_THE_WAY) {
      const event = this.#next()
      if (event === undefined) return
      this.#onTheWay++
      this.#send({ type: 'event', event }, () => {
        this.#onTheWay--
        this.#drain()
      })
    }
  }

  #next(): WireEvent | undefined {
    if (this.#skipped === 0) return this.#waiting.shift()
    const count = this.#skipped
    this.#skipped = 0
    return { type: 'events-skipped', time: new Date().toISOString(), count }
  }
}
