import { abortable } from './body.ts'
import { StorageError, type StorageErrorFields } from './errors.ts'

/** A call and its limit. */
export interface TimeLimit {
  /** Milliseconds from 1. */
  readonly limitMs: number
  readonly signal?: AbortSignal | undefined
  /** What the error says of the call. */
  readonly fields: Omit<StorageErrorFields, 'code' | 'cause' | 'transient'>
}

/**
 * Runs a call that ends in time, whatever the SDK does: no SDK has a limit of its own by default, and some ignore the signal.
 * `call` gets a signal that aborts at the limit and with the caller's; it need not listen.
 * @throws StorageError 'timeout', transient, at the limit
 * @throws the reason of `signal` as soon as that aborts
 */
export async function withinTime<T>(
  { limitMs, signal, fields }: TimeLimit,
  call: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const aborter = new AbortController()
  // Made only when it is needed: its stack costs more than all else here.
  const expired = (): StorageError =>
    new StorageError(`no answer within ${limitMs} ms`, { ...fields, code: 'timeout' })
  const onAbort = (): void => aborter.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => aborter.abort(expired()), limitMs)
  try {
    return await abortable(call(aborter.signal), aborter.signal)
  } catch (error) {
    // SDKs wrap what a signal says, or say something of their own.
    if (aborter.signal.aborted) throw aborter.signal.reason
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
