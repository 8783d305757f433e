import { once } from 'node:events'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

/** One answer: a body and its media type. */
export interface Resource {
  readonly type: string
  readonly body: string | Uint8Array
}

export interface PageServer extends AsyncDisposable {
  /** `http://127.0.0.1:<port>`, a trustworthy origin for browsers. */
  readonly origin: string
  /** Paths that were asked for and are not there. */
  readonly missing: readonly string[]
}

/** Serves resources by path on a free port of the loopback interface, each with the given policy and headers. */
export async function servePages(
  resources: ReadonlyMap<string, Resource>,
  policy: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<PageServer> {
  const missing: string[] = []
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://127.0.0.1')
    const resource = resources.get(pathname)
    if (resource === undefined) missing.push(pathname)
    const [from, to] = rangeOf(request.headers.range)
    const body = resource?.body.slice(from, to)
    const isPart = resource !== undefined && from !== undefined
    response.writeHead(resource === undefined ? 404 : isPart ? 206 : 200, {
      ...(isPart && { 'content-range': `bytes ${from}-${(to ?? 0) - 1}/${resource.body.length}` }),
      'content-type': resource?.type ?? 'text/plain',
      'content-security-policy': policy,
      'cache-control': 'no-store',
      ...headers,
    })
    response.end(body)
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    missing,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}

/** Where a range begins and ends; nothing without one. */
function rangeOf(header: string | undefined): [from?: number, to?: number] {
  const [, from, last] = /^bytes=(\d+)-(\d+)$/.exec(header ?? '') ?? []
  return from === undefined ? [] : [Number(from), Number(last) + 1]
}
