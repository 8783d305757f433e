import type { TXID } from '@sqlstream/ltx'

interface Waiter {
  readonly txid: TXID
  readonly done: (error?: Error) => void
}

/** Those who wait until a replica, or a copy, has everything up to a transaction. */
export class TXIDWaiters {
  readonly #waiting = new Set<Waiter>()

  /** Resolves with `reached`. Rejects with the error of `end`, or the signal's reason. */
  wait(txid: TXID, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const waiter: Waiter = {
        txid,
        done: (error) => {
          this.#waiting.delete(waiter)
          signal?.removeEventListener('abort', onAbort)
          if (error) reject(error)
          else resolve()
        },
      }
      const onAbort = (): void => waiter.done(signal?.reason)
      this.#waiting.add(waiter)
      signal?.addEventListener('abort', onAbort, { once: true })
      if (signal?.aborted) onAbort()
    })
  }

  /** Everything up to `txid` is there. */
  reached(txid: TXID): void {
    for (const waiter of [...this.#waiting]) if (waiter.txid <= txid) waiter.done()
  }

  /** Who waits still learns that this is in the way. */
  end(error: Error): void {
    for (const waiter of [...this.#waiting]) waiter.done(error)
  }
}
