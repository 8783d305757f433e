import type { BlobBody, BlobStore } from './blob-store.ts'
import { relayBody } from './body.ts'
import type { StorageOperationName } from './errors.ts'
import { relayCopy } from './relay-copy.ts'

/** One finished call. */
export interface StorageOperation {
  readonly operation: StorageOperationName
  /** Absent for list and delete. */
  readonly key?: string
  /** Body bytes that were read (get) or handed to the driver (put, retries included). None for a copy, which passes by. */
  readonly bytes: number
  /** Entries that a list yielded, keys that a delete was given, else 1. */
  readonly keys: number
  /** From the call to its end; for get and list to the end of the body or listing. */
  readonly milliseconds: number
  /** What it rejected with; an abort reason as well. */
  readonly error?: unknown
}

/**
 * Reports each call when it ends. The callback should be quick; what it throws is ignored, so that
 * watching cannot break storing. Takes the store over.
 */
export function withObserver(
  store: BlobStore,
  onOperation: (operation: StorageOperation) => void,
): BlobStore {
  function begin(operation: StorageOperationName, key?: string): Call {
    const started = performance.now()
    let reported = false
    return {
      bytes: 0,
      keys: 1,
      end(outcome = {}) {
        if (reported) return
        reported = true
        const milliseconds = performance.now() - started
        const named = key === undefined ? {} : { key }
        try {
          onOperation({ operation, ...named, bytes: this.bytes, keys: this.keys, milliseconds, ...outcome })
        } catch {
          // See above.
        }
      },
    }
  }

  async function observed<T>(call: Call, task: () => Promise<T>): Promise<T> {
    try {
      const result = await task()
      call.end()
      return result
    } catch (error) {
      call.end({ error })
      throw error
    }
  }

  return {
    driver: store.driver,
    capabilities: store.capabilities,
    async *list(options) {
      const call = begin('list')
      call.keys = 0
      try {
        for await (const info of store.list(options)) {
          call.keys += 1
          yield info
        }
      } catch (error) {
        call.end({ error })
        throw error
      } finally {
        call.end()
      }
    },
    head: (key, options) => observed(begin('head', key), () => store.head(key, options)),
    async get(key, options) {
      const call = begin('get', key)
      try {
        const { info, body } = await store.get(key, options)
        const relayed = relayBody(body, {
          onChunk: (chunk) => {
            call.bytes += chunk.length
          },
          onError: (error) => call.end({ error }),
          onClose: () => call.end(),
        })
        return { info, body: relayed }
      } catch (error) {
        call.end({ error })
        throw error
      }
    },
    put(key, body, options) {
      const call = begin('put', key)
      return observed(call, () => store.put(key, counted(body, call), options))
    },
    ...relayCopy(store, {
      around: (send, key, options) => {
        const call = begin('copy', key)
        return observed(call, () => send(options))
      },
    }),
    delete(keys, options) {
      const call = begin('delete')
      call.keys = keys.length
      return observed(call, () => store.delete(keys, options))
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

interface Call {
  bytes: number
  keys: number
  /** Reports once; later calls do nothing. */
  end(outcome?: { readonly error?: unknown }): void
}

function counted(body: BlobBody, call: Call): BlobBody {
  if (body instanceof Uint8Array) {
    call.bytes = body.length
    return body
  }
  const onChunk = (chunk: Uint8Array): void => {
    call.bytes += chunk.length
  }
  return { size: body.size, open: () => relayBody(body.open(), { onChunk }) }
}
