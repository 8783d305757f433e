import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

interface StoredObject {
  readonly bytes: Buffer
  readonly etag: string
  readonly modified: Date
}

/** The service that the driver is for, in memory: your own has a test double too, or can be started in a test. */
export class KVServer implements AsyncDisposable {
  readonly endpoint: string
  readonly #server: Server
  readonly #token: string
  readonly #objects: Map<string, StoredObject>

  private constructor(server: Server, token: string, objects: Map<string, StoredObject>) {
    this.#server = server
    this.#token = token
    this.#objects = objects
    this.endpoint = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  }

  static async start(token: string): Promise<KVServer> {
    const objects = new Map<string, StoredObject>()
    const server = createServer((request, response) => {
      if (request.headers.authorization !== `Bearer ${token}`) return void response.writeHead(403).end()
      const url = new URL(request.url ?? '/', 'http://localhost')
      const key = url.pathname.slice(1)
      if (request.method === 'PUT') return put(objects, key, request, response)
      if (request.method === 'DELETE') {
        objects.delete(key)
        return void response.writeHead(204).end()
      }
      if (key === '') return list(objects, url.searchParams, response)
      get(objects, key, request, response)
    })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    return new KVServer(server, token, objects)
  }

  /** Host and port. */
  get host(): string {
    return new URL(this.endpoint).host
  }

  get token(): string {
    return this.#token
  }

  get keys(): string[] {
    return [...this.#objects.keys()].sort()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    await new Promise<void>((resolve) => void this.#server.close(() => resolve()))
  }
}

let versions = 0

function put(
  objects: Map<string, StoredObject>,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  // Not after an upload that was broken off: that ends with 'close' alone.
  request.on('end', () => {
    const { 'if-none-match': none, 'if-match': match } = request.headers
    const current = objects.get(key)?.etag
    if ((none === '*' && current !== undefined) || (match !== undefined && match !== current)) {
      return void response.writeHead(412).end()
    }
    versions += 1
    const object = { bytes: Buffer.concat(chunks), etag: `v${versions}`, modified: new Date() }
    objects.set(key, object)
    response.writeHead(200, headersOf(object)).end()
  })
}

function get(
  objects: Map<string, StoredObject>,
  key: string,
  request: IncomingMessage,
  response: ServerResponse,
): void {
  const object = objects.get(key)
  if (object === undefined) return void response.writeHead(404).end()
  const { bytes } = object
  const range = /^bytes=(\d*)-(\d*)$/.exec(request.headers.range ?? '')
  const headers = headersOf(object)
  if (request.method === 'HEAD') return void response.writeHead(200, headers).end()
  if (range === null) return void response.writeHead(200, headers).end(bytes)
  const [, first = '', last = ''] = range
  const start = first === '' ? Math.max(0, bytes.length - Number(last)) : Number(first)
  const end = first === '' || last === '' ? bytes.length : Math.min(bytes.length, Number(last) + 1)
  if (start >= bytes.length) return void response.writeHead(416).end()
  const contentRange = `bytes ${start}-${end - 1}/${bytes.length}`
  response.writeHead(206, { ...headers, 'content-range': contentRange }).end(bytes.subarray(start, end))
}

function list(objects: Map<string, StoredObject>, query: URLSearchParams, response: ServerResponse): void {
  const prefix = query.get('prefix') ?? ''
  const after = query.get('after') ?? ''
  const page = [...objects.keys()]
    .filter((key) => key.startsWith(prefix) && key > after)
    .sort()
    .slice(0, 500)
  const entries = page.map((key) => {
    const { bytes, etag, modified } = objects.get(key)!
    return { key, size: bytes.length, etag, modified }
  })
  response.writeHead(200, { 'content-type': 'application/json' }).end(JSON.stringify(entries))
}

function headersOf({ bytes, etag, modified }: StoredObject): Record<string, string> {
  return { etag, 'last-modified': modified.toUTCString(), 'x-size': String(bytes.length) }
}
