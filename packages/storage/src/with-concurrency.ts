import type { BlobStore } from './blob-store.ts'
import { relayBody } from './body.ts'
import { relayCopy } from './relay-copy.ts'
import { Slots } from './slots.ts'

/**
 * At most `limit` calls at once; others wait their turn, first come first served, until their signal
 * aborts. The body of a `get` keeps its place until it ends or is released, because it holds a socket: who
 * reads n bodies side by side needs a limit above n. A listing takes a place only while it fetches the
 * next entry, so its reader may make calls of its own. Takes the store over.
 * @throws RangeError when the limit is not an integer from 1
 */
export function withConcurrency(store: BlobStore, limit: number): BlobStore {
  const slots = new Slots(limit)
  return {
    driver: store.driver,
    capabilities: store.capabilities,
    async *list(options = {}) {
      const entries = store.list(options)[Symbol.asyncIterator]()
      try {
        for (;;) {
          const step = await slots.run(() => entries.next(), options)
          if (step.done === true) return
          yield step.value
        }
      } finally {
        await entries.return?.()
      }
    },
    head: (key, options) => slots.run(() => store.head(key, options), options),
    async get(key, options) {
      await slots.enter(options)
      try {
        const { info, body } = await store.get(key, options)
        return { info, body: relayBody(body, { onClose: () => slots.leave() }) }
      } catch (error) {
        slots.leave()
        throw error
      }
    },
    put: (key, body, options) => slots.run(() => store.put(key, body, options), options),
    ...relayCopy(store, { around: (send, _, options) => slots.run(() => send(options), options) }),
    delete: (keys, options) => slots.run(() => store.delete(keys, options), options),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
