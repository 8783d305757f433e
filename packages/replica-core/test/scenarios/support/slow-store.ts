import type { BlobBody, BlobStore } from '@sqlstream/storage'

/**
 * A store that calls a hook before it takes the first bytes of a snapshot, and before each further
 * chunk: a slow network, with the test in charge of what happens meanwhile.
 */
export function slowSnapshots(store: BlobStore, beforeChunk: (chunk: number) => Promise<void>): BlobStore {
  const slow = (body: BlobBody): BlobBody => {
    if (body instanceof Uint8Array || !('open' in body)) throw new TypeError('a snapshot is a stream')
    return {
      ...body,
      open: async function* () {
        let chunk = 0
        await beforeChunk(chunk++)
        for await (const bytes of await body.open()) {
          yield bytes
          await beforeChunk(chunk++)
        }
      },
    }
  }
  return {
    driver: store.driver,
    capabilities: store.capabilities,
    list: (options) => store.list(options),
    head: (key, options) => store.head(key, options),
    get: (key, options) => store.get(key, options),
    put: (key, body, options) => store.put(key, key.includes('ltx/9/') ? slow(body) : body, options),
    delete: (keys, options) => store.delete(keys, options),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}
