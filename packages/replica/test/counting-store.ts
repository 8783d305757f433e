import type { BlobStore } from '@sqlstream/storage'

/** One request as a bill would show it. */
export interface Request {
  readonly operation: 'list' | 'head' | 'get' | 'put' | 'delete'
  readonly key?: string
  bytes: number
}

/** Counts requests and the bytes of the bodies that were read. */
export function countRequests(inner: BlobStore): { store: BlobStore; requests: Request[] } {
  const requests: Request[] = []
  const note = (operation: Request['operation'], key?: string): Request => {
    const request = { operation, ...(key !== undefined && { key }), bytes: 0 }
    requests.push(request)
    return request
  }
  const store: BlobStore = {
    driver: inner.driver,
    capabilities: inner.capabilities,
    list(options) {
      note('list')
      return inner.list(options)
    },
    head(key, options) {
      note('head', key)
      return inner.head(key, options)
    },
    async get(key, options) {
      const request = note('get', key)
      const { info, body } = await inner.get(key, options)
      return { info, body: counted(body, request) }
    },
    put(key, body, options) {
      note('put', key)
      return inner.put(key, body, options)
    },
    delete(keys, options) {
      note('delete', keys[0])
      return inner.delete(keys, options)
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
  return { store, requests }
}

async function* counted(body: AsyncIterable<Uint8Array>, request: Request): AsyncGenerator<Uint8Array> {
  for await (const chunk of body) {
    request.bytes += chunk.byteLength
    yield chunk
  }
}
