import { type BlobStore, MemoryStore, StorageError } from '@sqlstream/storage'
import type { Harness } from '../src/index.ts'

/** A harness over one MemoryStore; each open() makes another handle on it. */
export function memoryHarness(wrap: (store: BlobStore) => BlobStore = (store) => store): Harness {
  const shared = new MemoryStore()
  return { open: async () => wrap(newHandle(shared)), openMissing: async () => wrap(missingStore()) }
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
    delete: (keys, options) => store.delete(keys, options),
    [Symbol.asyncDispose]: async () => {},
  }
}

/** How a service answers whose bucket is gone. */
function missingStore(): BlobStore {
  const gone = async (operation: 'head' | 'get' | 'put' | 'delete'): Promise<never> => {
    throw new StorageError('no such bucket', { code: 'not-found', driver: 'memory', operation })
  }
  return {
    driver: 'memory',
    capabilities: { conditionalPut: true, consistentList: true },
    // biome-ignore lint/correctness/useYield: a listing that fails at once
    async *list() {
      throw new StorageError('no such bucket', { code: 'not-found', driver: 'memory', operation: 'list' })
    },
    head: () => gone('head'),
    get: () => gone('get'),
    put: () => gone('put'),
    delete: () => gone('delete'),
    [Symbol.asyncDispose]: async () => {},
  }
}
