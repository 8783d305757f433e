import { abortable, StorageError, type TimeLimit } from '@sqlstream/storage'

/**
 * Like `withinTime`, with a limit that begins anew whenever the call says that it moves: a large upload over a slow line may
 * take its time, one that hangs may not.
 * @throws StorageError 'timeout', transient, at the limit
 * @throws the reason of `signal` as soon as that aborts
 */
export async function whileMoving<T>(
  { limitMs, signal, fields }: TimeLimit,
  call: (signal: AbortSignal, moves: () => void) => Promise<T>,
): Promise<T> {
  signal?.throwIfAborted()
  const aborter = new AbortController()
  // Made only when it is needed: its stack costs more than all else here.
  const expired = (): StorageError =>
    new StorageError(`nothing came or went for ${limitMs} ms`, { ...fields, code: 'timeout' })
  const onAbort = (): void => aborter.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  const timer = setTimeout(() => aborter.abort(expired()), limitMs)
  try {
    return await abortable(
      call(aborter.signal, () => {
        timer.refresh()
      }),
      aborter.signal,
    )
  } catch (error) {
    if (aborter.signal.aborted) throw aborter.signal.reason
    throw error
  } finally {
    clearTimeout(timer)
    signal?.removeEventListener('abort', onAbort)
  }
}
