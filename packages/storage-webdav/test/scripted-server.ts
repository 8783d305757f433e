import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'

/** An element of an answer to PROPFIND. */
const response = (href: string, properties: string): string =>
  `<response><href>${href}</href><propstat><prop>${properties}</prop><status>HTTP/1.1 200 OK</status></propstat></response>`

/** The whole answer to a PROPFIND of the root, or of its one object `/a` with these properties. */
export function foundAt(url: string | undefined, properties: string): string {
  const root = response('/', '<resourcetype><collection/></resourcetype>')
  return `<multistatus xmlns="DAV:">${url === '/' ? root : response('/a', properties)}</multistatus>`
}

/** A WebDAV server that does what a test says. */
export async function startScripted(listener: RequestListener): Promise<AsyncDisposable & { url: string }> {
  const server = createServer(listener).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}
