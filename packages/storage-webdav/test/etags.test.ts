import { getBytes } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { WebDAVStore } from '../src/index.ts'
import { foundAt, startScripted } from './scripted-server.ts'
import { withServer } from './servers.ts'

/** An Apache whose clock moves on only with every so many puts. */
function startSlowClock(putsATick: number) {
  let puts = 0
  let stored = Buffer.alloc(0)
  const etag = (): string => `"${stored.length}-${Math.floor(puts / putsATick)}"`
  return startScripted(async (request, answer) => {
    answer.setHeader('server', 'Apache')
    if (request.method === 'PUT') {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk as Buffer)
      puts++
      stored = Buffer.concat(chunks)
      answer.writeHead(puts === 1 ? 201 : 204).end()
    } else if (request.method === 'PROPFIND' && request.url !== '/' && puts === 0) {
      answer.writeHead(404).end()
    } else if (request.method === 'PROPFIND') {
      const file = `<resourcetype/><getcontentlength>${stored.length}</getcontentlength><getetag>${etag()}</getetag><getlastmodified>${new Date().toUTCString()}</getlastmodified>`
      answer.writeHead(207).end(foundAt(request.url, file))
    } else answer.writeHead(200, { etag: etag(), 'content-length': stored.length }).end(stored)
  })
}

test('S28: a version gets an ETag of its own where the clock stands still for longer than a tick', async () => {
  await using server = await startSlowClock(5)
  await using store = await WebDAVStore.open({ url: server.url })
  const etags = new Set<string>()
  for (let version = 0; version < 6; version++) {
    const { etag } = await store.put('a', new Uint8Array(64).fill(version))
    expect((await store.head('a')).etag).toBe(etag)
    etags.add(etag)
  }
  expect(etags.size).toBe(6)
  expect(await getBytes(store, 'a')).toEqual(new Uint8Array(64).fill(5))
})

// A file's time moves on with the clock's tick, which is longer than a put to a server near by.
for (const name of ['lighttpd', 'Apache'] as const) {
  await withServer(name, (server, test) => {
    test(`S28: two hundred versions of one size, put one right after the other, have an ETag each (${name})`, async () => {
      await using store = await WebDAVStore.open({ url: `${server.url}/etags` })
      const etags = new Set<string>()
      for (let version = 0; version < 200; version++) {
        const { etag } = await store.put('a', new Uint8Array(64).fill(version))
        etags.add(etag)
      }
      expect(etags.size).toBe(200)
    })
  })
}
