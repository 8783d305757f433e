import {
  abortable,
  type BlobInfo,
  type BlobStore,
  collectBody,
  StorageError,
  type StorageOperationName,
} from '@sqlstream/storage'

/** A store to which a request may be under way for as long as the test wants, whatever becomes of its sender. */
export interface LateStore extends BlobStore {
  /** The same objects by a shorter way. */
  readonly inner: BlobStore
  /** From now on, or no longer, every request fails before it is sent. */
  partition(on: boolean): void
  /** From now on puts of LTX files are under way. Resolves when one is. */
  hold(): Promise<void>
  /** Lets what is under way arrive. Resolves when it has, or was refused. */
  arrive(): Promise<void>
}

export function lateStore(inner: BlobStore): LateStore {
  let gate: PromiseWithResolvers<void> | undefined
  let cut = false
  const fail = (operation: StorageOperationName): never => {
    throw new StorageError('no network', { code: 'unavailable', driver: inner.driver, operation })
  }
  let onHeld: (() => void) | undefined
  const flying: Promise<unknown>[] = []
  return {
    inner,
    driver: inner.driver,
    capabilities: inner.capabilities,
    list: (options) => (cut ? fail('list') : inner.list(options)),
    head: async (key, options) => (cut ? fail('head') : inner.head(key, options)),
    get: async (key, options) => (cut ? fail('get') : inner.get(key, options)),
    delete: async (keys, options) => (cut ? fail('delete') : inner.delete(keys, options)),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
    async put(key, body, options): Promise<BlobInfo> {
      if (cut) fail('put')
      if (gate === undefined || !key.endsWith('.ltx')) return inner.put(key, body, options)
      const { signal, ...rest } = options ?? {}
      const bytes = await collectBody(body, options)
      const arriving = gate.promise.then(() => inner.put(key, bytes, rest))
      flying.push(arriving.catch(() => undefined))
      onHeld?.()
      return abortable(arriving, signal)
    },
    partition(on): void {
      cut = on
    },
    hold(): Promise<void> {
      gate = Promise.withResolvers()
      return new Promise<void>((resolve) => {
        onHeld = resolve
      })
    },
    async arrive(): Promise<void> {
      gate?.resolve()
      gate = undefined
      await Promise.all(flying.splice(0))
    },
  }
}
