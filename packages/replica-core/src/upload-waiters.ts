import type { TXID } from '@sqlstream/ltx'

/** Those who wait until a transaction is in the replica. */
export class UploadWaiters {
  readonly #waiting: { readonly txid: TXID; resolve(): void; reject(error: unknown): void }[] = []

  /** Resolves when `settle` says that everything up to `txid` is there. @throws what `settle` says instead; the reason of the signal */
  wait(txid: TXID, signal: AbortSignal | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const onAbort = (): void => {
        const at = this.#waiting.indexOf(waiter)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(signal?.reason)
      }
      const waiter = {
        txid,
        resolve: () => {
          signal?.removeEventListener('abort', onAbort)
          resolve()
        },
        reject,
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      this.#waiting.push(waiter)
    })
  }

  /** Everything up to `uploaded` is there; with an error, who waits for more learns that. */
  settle(uploaded: TXID | undefined, error?: Error): void {
    for (let i = this.#waiting.length - 1; i >= 0; i--) {
      const waiter = this.#waiting[i]!
      const done = uploaded !== undefined && uploaded >= waiter.txid
      if (!done && error === undefined) continue
      this.#waiting.splice(i, 1)
      if (done) waiter.resolve()
      else waiter.reject(error)
    }
  }
}
