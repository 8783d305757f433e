import type { TXID } from '@sqlstream/ltx'

interface Waiter {
  readonly txid: TXID
  readonly done: (error?: Error) => void
}

/** Who waits for a copy to hold a transaction. */
export class Waiters {
  readonly #waiting = new Set<Waiter>()

  /** Resolves with `reached`, rejects with `end` or the signal's reason. */
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

  reached(txid: TXID): void {
    for (const waiter of [...this.#waiting]) if (waiter.txid <= txid) waiter.done()
  }

  end(error: Error): void {
    for (const waiter of [...this.#waiting]) waiter.done(error)
  }
}
