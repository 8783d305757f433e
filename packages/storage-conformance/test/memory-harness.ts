import {
  type BlobStore,
  MemoryStore,
  relayCopy,
  StorageError,
  type StorageErrorCode,
  type StorageOperationName,
} from '@sqlstream/storage'
import type { Harness } from '../src/index.ts'

/** A harness over one MemoryStore; each open() makes another handle on it. */
export function memoryHarness(wrap: (store: BlobStore) => BlobStore = (store) => store): Harness {
  const shared = new MemoryStore()
  return {
    open: async () => wrap(newHandle(shared)),
    openMissing: async () => wrap(failingStore('not-found')),
    openDenied: async () => wrap(failingStore('permission-denied')),
    openUnreachable: async () => wrap(failingStore('unavailable')),
    secrets: ['hunter2'],
  }
}

/** The same objects behind a handle of its own. */
export function newHandle(store: BlobStore): BlobStore {
  return {
    driver: store.driver,
    capabilities: store.capabilities,
    list: (options) => store.list(options),
    head: (key, options) => store.head(key, options),
    get: (key, options) => store.get(key, options),
    put: (key, body, options) => store.put(key, body, options),
    ...relayCopy(store),
    delete: (keys, options) => store.delete(keys, options),
    [Symbol.asyncDispose]: async () => {},
  }
}

/** A store on which every call fails. */
export function failingStore(code: StorageErrorCode, message = 'no', transient?: boolean): BlobStore {
  function failure(operation: StorageOperationName): StorageError {
    return new StorageError(message, { code, driver: 'memory', operation, transient })
  }
  return {
    driver: 'memory',
    capabilities: { conditionalPut: true, consistentList: true },
    // biome-ignore lint/correctness/useYield: a listing that fails at once
    async *list() {
      throw failure('list')
    },
    head: () => Promise.reject(failure('head')),
    get: () => Promise.reject(failure('get')),
    put: () => Promise.reject(failure('put')),
    delete: () => Promise.reject(failure('delete')),
    [Symbol.asyncDispose]: async () => {},
  }
}
