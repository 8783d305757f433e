import { LEASE_KEY } from '@sqlstream/replica'
import { type BlobStore, relayCopy } from '@sqlstream/storage'

/** Who is asked before a call, and told of it. */
export interface RequestGate {
  /** Resolves when a call may be made. @param urgent it must not wait */
  enter(operation: string, urgent: boolean, signal: AbortSignal | undefined): Promise<void>
}

/** A store of one database whose calls pass a gate. A lease is not held up: it would run out. */
export function budgetedStore(store: BlobStore, gate: RequestGate): BlobStore {
  const isLease = (key: string): boolean => key === LEASE_KEY
  return {
    driver: store.driver,
    capabilities: store.capabilities,
    async *list(options) {
      await gate.enter('list', false, options?.signal)
      yield* store.list(options)
    },
    async head(key, options) {
      await gate.enter('head', isLease(key), options?.signal)
      return await store.head(key, options)
    },
    async get(key, options) {
      await gate.enter('get', isLease(key), options?.signal)
      return await store.get(key, options)
    },
    async put(key, body, options) {
      await gate.enter('put', isLease(key), options?.signal)
      return await store.put(key, body, options)
    },
    ...relayCopy(store, {
      async around(send, key, options) {
        await gate.enter('copy', isLease(key), options?.signal)
        return await send(options)
      },
    }),
    async delete(keys, options) {
      await gate.enter('delete', false, options?.signal)
      await store.delete(keys, options)
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
