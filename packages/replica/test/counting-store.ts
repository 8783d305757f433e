import { type BlobStore, createBody, relayCopy } from '@sqlstream/storage'

/** One request as a bill would show it. */
export interface Request {
  readonly operation: 'list' | 'head' | 'get' | 'put' | 'copy' | 'delete'
  readonly key?: string
  bytes: number
}

/** Counts requests and the bytes of the bodies that were read; `open` holds those whose body nobody has let go. */
export function countRequests(inner: BlobStore): {
  store: BlobStore
  requests: Request[]
  open: Set<Request>
} {
  const requests: Request[] = []
  const open = new Set<Request>()
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
      return { info, body: counted(body, request, open) }
    },
    put(key, body, options) {
      note('put', key)
      return inner.put(key, body, options)
    },
    ...relayCopy(inner, {
      around(send, key, options) {
        note('copy', key)
        return send(options)
      },
    }),
    delete(keys, options) {
      note('delete', keys[0])
      return inner.delete(keys, options)
    },
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
  return { store, requests, open }
}

function counted(
  inner: AsyncIterable<Uint8Array>,
  request: Request,
  open: Set<Request>,
): AsyncIterable<Uint8Array> {
  const body = inner[Symbol.asyncIterator]()
  open.add(request)
  return createBody({
    async next() {
      const { done, value } = await body.next()
      if (done) return undefined
      request.bytes += value.byteLength
      return value
    },
    async close() {
      open.delete(request)
      await body.return?.()
    },
  })
}
