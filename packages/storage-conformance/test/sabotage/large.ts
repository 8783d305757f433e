import { type BlobBody, type BlobStore, collectBody, type ETag, StorageError } from '@sqlstream/storage'
import { holds, without } from './precondition.ts'
import { LARGE_BYTES, type Sabotages } from './sabotages.ts'

function isLarge(body: BlobBody): boolean {
  return body instanceof Uint8Array ? body.length >= LARGE_BYTES : (body.size ?? LARGE_BYTES) >= LARGE_BYTES
}

/** What was uploaded becomes visible when the put did not succeed. */
function leaving(store: BlobStore, aborted: boolean): Partial<BlobStore> {
  return {
    async put(key, body, options) {
      try {
        return await store.put(key, body, options)
      } catch (error) {
        const matters = (options?.signal?.aborted === true) === aborted && !(error instanceof StorageError)
        if (matters && isLarge(body)) await store.put(key, new Uint8Array(LARGE_BYTES))
        throw error
      }
    },
  }
}

/** What can be wrong with large bodies. */
export const largeSabotages: Sabotages = {
  'forgets the last part of a large body': [
    'S43',
    (store) => ({
      async put(key, body, options) {
        const bytes = await collectBody(body, options)
        return store.put(key, bytes.length < LARGE_BYTES ? bytes : bytes.subarray(0, 150_000), options)
      },
    }),
  ],
  'lists another etag for a large object': [
    'S43',
    (store) => ({
      async *list(options) {
        for await (const info of store.list(options))
          yield info.size < LARGE_BYTES ? info : { ...info, etag: `${info.etag}-3` as ETag }
      },
    }),
  ],
  'leaves the parts of a large body that failed': ['S43', (store) => leaving(store, false)],
  'leaves the parts of a large body that was aborted': ['S43', (store) => leaving(store, true)],
  'ignores the precondition of a large body': [
    'S44',
    (store) => ({
      put: (key, body, options) => store.put(key, body, isLarge(body) ? without(options) : options),
    }),
  ],
  'judges the precondition of a large body at its beginning': [
    'S44',
    (store) => ({
      put: async (key, body, options) =>
        store.put(
          key,
          body,
          isLarge(body) && (await holds(store, key, options)) ? without(options) : options,
        ),
    }),
  ],
  'leaves something of a large body with a precondition that it cannot keep': [
    'S44',
    (store) => ({
      async put(key, body, options) {
        const hasSize = body instanceof Uint8Array || body.size !== undefined
        if (hasSize || options?.precondition === undefined) return store.put(key, body, options)
        await store.put(`${key}.part`, new Uint8Array(1))
        throw new StorageError('too large', { code: 'unsupported', driver: 'memory', operation: 'put', key })
      },
    }),
  ],
  'does not take a large body with a precondition, though it knows the size': [
    'S44',
    (store) => ({
      async put(key, body, options) {
        if (!isLarge(body) || options?.precondition === undefined) return store.put(key, body, options)
        throw new StorageError('too large', { code: 'unsupported', driver: 'memory', operation: 'put', key })
      },
    }),
  ],
}
