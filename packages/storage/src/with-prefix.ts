import type { BlobInfo, BlobStore } from './blob-store.ts'
import { isStorageError, StorageError } from './errors.ts'
import { isKeyPrefix } from './key.ts'
import { relayCopy } from './relay-copy.ts'

/**
 * The objects below a prefix, with keys relative to it. Takes the store over: disposing one disposes the
 * other. Errors carry the key as the caller gave it; their message shows the whole one.
 * @throws TypeError when the prefix is neither empty nor a legal key followed by a slash
 */
export function withPrefix(store: BlobStore, prefix: string): BlobStore {
  if (!isKeyPrefix(prefix) || (prefix !== '' && !prefix.endsWith('/'))) {
    throw new TypeError(`prefix ${JSON.stringify(prefix)} is neither empty nor a key with a slash at its end`)
  }
  const outer = (info: BlobInfo): BlobInfo => ({ ...info, key: info.key.slice(prefix.length) })

  async function translated<T>(call: () => Promise<T>): Promise<T> {
    try {
      return await call()
    } catch (error) {
      throw withoutPrefix(error, prefix)
    }
  }

  return {
    driver: store.driver,
    capabilities: store.capabilities,
    async *list(options = {}) {
      const { startAfter } = options
      const inner = store.list({
        ...options,
        prefix: prefix + (options.prefix ?? ''),
        startAfter: startAfter === undefined ? undefined : prefix + startAfter,
      })
      try {
        for await (const info of inner) yield outer(info)
      } catch (error) {
        throw withoutPrefix(error, prefix)
      }
    },
    head: (key, options) => translated(async () => outer(await store.head(prefix + key, options))),
    get: (key, options) =>
      translated(async () => {
        const { info, body } = await store.get(prefix + key, options)
        return { info: outer(info), body }
      }),
    put: (key, body, options) => translated(async () => outer(await store.put(prefix + key, body, options))),
    ...relayCopy(store, {
      keyOf: (key) => prefix + key,
      around: (send, _, options) =>
        translated(async () => {
          const info = await send(options)
          return info && outer(info)
        }),
    }),
    delete: (keys, options) =>
      translated(() =>
        store.delete(
          keys.map((key) => prefix + key),
          options,
        ),
      ),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

function withoutPrefix(error: unknown, prefix: string): unknown {
  if (!isStorageError(error) || error.key?.startsWith(prefix) !== true) return error
  const { message, code, transient, driver, operation, hint } = error
  const key = error.key.slice(prefix.length)
  return new StorageError(message, { code, transient, driver, operation, key, hint, cause: error })
}
