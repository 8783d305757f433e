import type { BlobStore } from './blob-store.ts'
import { abortable, relayBody } from './body.ts'

/**
 * At most `limit` calls at once; others wait their turn, first come first served, until their signal
 * aborts. The body of a `get` keeps its place until it ends or is released, because it holds a socket: who
 * reads n bodies side by side needs a limit above n. A listing takes a place only while it fetches the
 * next entry, so its reader may make calls of its own. Takes the store over.
 * @throws RangeError when the limit is not an integer from 1
 */
export function withConcurrency(store: BlobStore, limit: number): BlobStore {
  if (!Number.isSafeInteger(limit) || limit < 1)
    throw new RangeError(`limit ${limit} is not an integer from 1`)
  let free = limit
  const waiting: (() => void)[] = []

  async function enter(signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted()
    if (free > 0) {
      free -= 1
      return
    }
    const { promise, resolve } = Promise.withResolvers<void>()
    waiting.push(resolve)
    try {
      await abortable(promise, signal)
    } catch (error) {
      const place = waiting.indexOf(resolve)
      // Not in the queue any more: it was let in at the same moment, and the place must go on.
      if (place === -1) leave()
      else waiting.splice(place, 1)
      throw error
    }
  }

  function leave(): void {
    const next = waiting.shift()
    if (next === undefined) free += 1
    else next()
  }

  async function limited<T>(signal: AbortSignal | undefined, call: () => Promise<T>): Promise<T> {
    await enter(signal)
    try {
      return await call()
    } finally {
      leave()
    }
  }

  return {
    driver: store.driver,
    capabilities: store.capabilities,
    async *list(options = {}) {
      const entries = store.list(options)[Symbol.asyncIterator]()
      try {
        for (;;) {
          const step = await limited(options.signal, () => entries.next())
          if (step.done === true) return
          yield step.value
        }
      } finally {
        await entries.return?.()
      }
    },
    head: (key, options) => limited(options?.signal, () => store.head(key, options)),
    async get(key, options) {
      await enter(options?.signal)
      try {
        const { info, body } = await store.get(key, options)
        return { info, body: relayBody(body, { onClose: leave }) }
      } catch (error) {
        leave()
        throw error
      }
    },
    put: (key, body, options) => limited(options?.signal, () => store.put(key, body, options)),
    delete: (keys, options) => limited(options?.signal, () => store.delete(keys, options)),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
