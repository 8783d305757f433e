import { expect } from 'vitest'
import { WebDAVStore } from '../src/index.ts'
import { withServer } from './servers.ts'

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
