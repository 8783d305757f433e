import { abortable } from './body.ts'
import { isStorageError } from './errors.ts'

/** How often and how soon a call is tried again. */
export interface RetryOptions {
  readonly signal?: AbortSignal | undefined
  /** Tries in all, from 1. Default: 4. */
  readonly attempts?: number | undefined
  /** Waits before try `n` (2, 3, …). Default: a random time of up to 0.1 s, doubled with each try, 5 s at most. */
  readonly pause?: ((n: number, signal: AbortSignal | undefined) => Promise<void>) | undefined
}

/**
 * Calls until it succeeds, fails for a reason that does not pass, or was tried often enough. For calls that may be repeated:
 * reads, deletes, puts without a condition. For the others there is `putDecisively`.
 * @throws the last error of `call`, or the reason of `signal`
 */
export async function retryTransient<T>(call: () => Promise<T>, options: RetryOptions = {}): Promise<T> {
  const { signal, attempts = 4, pause = pauseRandomly } = options
  for (let n = 1; ; n++) {
    try {
      return await call()
    } catch (error) {
      signal?.throwIfAborted()
      if (n >= attempts || !isStorageError(error) || !error.transient) throw error
    }
    await pause(n + 1, signal)
  }
}

/** See `RetryOptions.pause`. Random, so that those who failed together do not come back together. */
export function pauseRandomly(n: number, signal: AbortSignal | undefined): Promise<void> {
  return pause(Math.random() * Math.min(5000, 50 * 2 ** (n - 1)), signal)
}

/** Resolves after this time, ms. Rejects with the signal's reason. */
export async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  try {
    await abortable(
      new Promise<void>((resolve) => {
        timer = setTimeout(resolve, milliseconds)
      }),
      signal,
    )
  } finally {
    clearTimeout(timer)
  }
}
