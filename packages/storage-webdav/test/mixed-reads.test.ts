import { getBytes } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { WebDAVStore } from '../src/index.ts'
import { foundAt, startScripted } from './scripted-server.ts'

/** A server that replaces its one object between the look at it and its opening, as often as told. */
function startMixing(mixes: number) {
  let version = 1
  let left = mixes
  return startScripted((request, answer) => {
    const size = version * 10
    const etag = `"${version}"`
    if (request.method === 'PROPFIND') {
      const properties = `<resourcetype/><getcontentlength>${size}</getcontentlength><getetag>${etag}</getetag>`
      answer.writeHead(207).end(foundAt(request.url, properties))
      return
    }
    if (left > 0) {
      left -= 1
      version += 1
    }
    answer.writeHead(200, { etag, 'content-length': size }).end(Buffer.alloc(size, version))
  })
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
