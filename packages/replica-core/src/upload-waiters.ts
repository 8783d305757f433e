import type { TXID } from '@sqlstream/ltx'

/** Those who wait until the replica has everything up to a transaction. */
export class UploadWaiters {
  readonly #waiting: { txid: TXID; resolve(): void; reject(error: unknown): void }[] = []

  /** Rejects with the signal's reason, or with that of {@link settle}. */
  add(txid: TXID, signal: AbortSignal | undefined): Promise<void> {
    return new Promise<void>((resolve, reject) => {
      const waiter = { txid, resolve, reject }
      const onAbort = (): void => {
        const at = this.#waiting.indexOf(waiter)
        if (at >= 0) this.#waiting.splice(at, 1)
        reject(signal?.reason)
      }
      signal?.addEventListener('abort', onAbort, { once: true })
      waiter.resolve = () => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }
      this.#waiting.push(waiter)
    })
  }

  /** Lets go of those whose transaction is in the replica; with an error, of all others too. */
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
