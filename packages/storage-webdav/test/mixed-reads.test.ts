import { once } from 'node:events'
import { createServer } from 'node:http'
import { getBytes } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { WebDAVStore } from '../src/index.ts'

const response = (href: string, properties: string): string =>
  `<response><href>${href}</href><propstat><prop>${properties}</prop><status>HTTP/1.1 200 OK</status></propstat></response>`

/** A server that replaces its one object between the look at it and its opening, as often as told. */
async function startMixing(mixes: number) {
  let version = 1
  let left = mixes
  const server = createServer((request, answer) => {
    const size = version * 10
    const etag = `"${version}"`
    if (request.method === 'PROPFIND') {
      const properties = `<resourcetype/><getcontentlength>${size}</getcontentlength><getetag>${etag}</getetag>`
      const root = response('/', '<resourcetype><collection/></resourcetype>')
      const found = request.url === '/' ? root : response('/a', properties)
      answer.writeHead(207).end(`<multistatus xmlns="DAV:">${found}</multistatus>`)
      return
    }
    if (left > 0) {
      left -= 1
      version += 1
    }
    answer.writeHead(200, { etag, 'content-length': size }).end(Buffer.alloc(size, version))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  return {
    url: `http://127.0.0.1:${(server.address() as { port: number }).port}`,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections()
      server.close()
    },
  }
}

test('S27: the length of one version with the bytes of the next is no answer', async () => {
  await using server = await startMixing(3)
  await using store = await WebDAVStore.open({ url: server.url })
  expect(await getBytes(store, 'a')).toEqual(new Uint8Array(40).fill(4))
})

test('an object that is replaced each time is unavailable, not mixed', async () => {
  await using server = await startMixing(Infinity)
  await using store = await WebDAVStore.open({ url: server.url })
  await expect(store.get('a')).rejects.toMatchObject({ code: 'unavailable', transient: true })
})
