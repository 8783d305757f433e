import { type BlobBody, type ETag, StorageError } from '@sqlstream/storage'
import type { Sabotages } from './sabotages.ts'

/** What can be wrong with writing. */
export const putSabotages: Sabotages = {
  'leaves what was written of a failed put': [
    'S22',
    (store) => ({
      async put(key, body, options) {
        try {
          return await store.put(key, body, options)
        } catch (error) {
          if (!(error instanceof StorageError)) await store.put(key, new Uint8Array(1))
          throw error
        }
      },
    }),
  ],
  'swallows the error of a body': [
    'S22',
    (store) => ({
      put: (key, body, options) =>
        store.put(key, body, options).catch((error: unknown) => {
          const known = error instanceof StorageError || options?.signal?.aborted === true
          throw known
            ? error
            : new StorageError('failed', { code: 'unknown', driver: 'memory', operation: 'put' })
        }),
    }),
  ],
  'needs a size': [
    'S23',
    (store) => ({
      async put(key, body, options) {
        if (!(body instanceof Uint8Array) && body.size === undefined) throw new Error('no size')
        return store.put(key, body, options)
      },
    }),
  ],
  'does not count bytes': [
    'S24',
    (store) => ({
      put: (key, body, options) =>
        store.put(key, body instanceof Uint8Array ? body : { open: () => body.open() }, options),
    }),
  ],
  'stores the buffer behind a view': [
    'S25',
    (store) => ({
      put: (key, body: BlobBody, options) =>
        store.put(key, body instanceof Uint8Array ? new Uint8Array(body.buffer) : body, options),
    }),
  ],
  'abandons a body': [
    'S26',
    (store) => ({
      put(key, body, options) {
        if (body instanceof Uint8Array) return store.put(key, body, options)
        const open = (): AsyncIterable<Uint8Array> => {
          const reading = body.open()[Symbol.asyncIterator]()
          return { [Symbol.asyncIterator]: () => ({ next: () => reading.next() }) }
        }
        return store.put(key, { size: body.size, open }, options)
      },
    }),
  ],
  'shows a put before it is complete': [
    'S27',
    (store) => ({
      async put(key, body, options) {
        if (body instanceof Uint8Array && body.length > 10_000) {
          await store.put(key, body.subarray(0, 100), options)
          await new Promise((resolve) => setImmediate(resolve))
          return store.put(key, body, { ...options, precondition: undefined })
        }
        return store.put(key, body, options)
      },
    }),
  ],
  'has one etag for all': [
    'S28',
    (store) => ({
      head: async (key, options) => ({ ...(await store.head(key, options)), etag: 'e' as ETag }),
      put: async (key, body, options) => ({ ...(await store.put(key, body, options)), etag: 'e' as ETag }),
    }),
  ],
  'makes up a time': [
    'S29',
    (store) => ({
      head: async (key, options) => ({ ...(await store.head(key, options)), modified: new Date(0) }),
    }),
  ],
  'tells of another size': [
    'S21',
    (store) => ({
      async put(key, body, options) {
        const info = await store.put(key, body, options)
        return { ...info, size: info.size + 1 }
      },
    }),
  ],
  'lists the time of the listing': [
    'S29',
    (store) => ({
      async *list(options) {
        for await (const info of store.list(options))
          yield { ...info, modified: new Date(Date.now() + 60_000) }
      },
    }),
  ],
}
