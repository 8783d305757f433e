import type { StoredMsg } from '@nats-io/jetstream'
import type { Bucket, RequestContext } from './bucket.ts'

/** The messages of one subject in their order, several asked for at once. */
export class Chunks {
  readonly #bucket: Bucket
  readonly #context: RequestContext
  readonly #subject: string
  #seq: number
  #waiting: StoredMsg[] = []

  /** @param seq no message of the subject comes before it */
  constructor(bucket: Bucket, context: RequestContext, subject: string, seq: number) {
    this.#bucket = bucket
    this.#context = context
    this.#subject = subject
    this.#seq = seq
  }

  /**
   * The next message, undefined when there is none (any more).
   * @param window how many may be asked for at once, from 1
   */
  async next(window: number): Promise<StoredMsg | undefined> {
    if (this.#waiting.length === 0) this.#waiting = await this.#fetch(window)
    const message = this.#waiting.shift()
    if (message !== undefined) this.#seq = message.seq + 1
    return message
  }

  /** Goes on at the first message with this sequence or a later one. */
  skipTo(seq: number): void {
    this.#seq = seq
    this.#waiting = this.#waiting.filter((message) => message.seq >= seq)
  }

  /**
   * The first message from each of so many sequences on. Where others lie between, one comes several times; but none is left out,
   * since the one after it cannot have a lower sequence than the next that is asked for.
   */
  async #fetch(window: number): Promise<StoredMsg[]> {
    const requests = Array.from({ length: window }, (_, i) =>
      this.#bucket.nextMessage(this.#context, this.#seq + i, this.#subject),
    )
    const found = new Map<number, StoredMsg>()
    for (const message of await Promise.all(requests)) {
      if (message !== undefined) found.set(message.seq, message)
    }
    return [...found.values()].sort((a, b) => a.seq - b.seq)
  }
}
