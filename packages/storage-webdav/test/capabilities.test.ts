import { readdirSync } from 'node:fs'
import { expect, test } from 'vitest'
import { WebDAVStore } from '../src/index.ts'
import { serverKind } from '../src/server-kinds.ts'
import { all } from './all.ts'
import { type ServerName, withServer } from './servers.ts'

const bytes = Uint8Array.of(1, 2, 3)

for (const [name, auto, probe] of [
  ['lighttpd', true, true],
  // It keeps preconditions as long as nobody races; a probe may see nothing, so it is never believed.
  ['Apache', false, false],
  ['nginx', false, false],
  ['rclone', false, false],
] as [ServerName, boolean, boolean][]) {
  await withServer(name, (server, it) => {
    it.each([
      ['auto', auto],
      ['probe', probe],
      ['never', false],
    ] as const)(`${name}, %s: conditionalPut is %s, and opening leaves nothing`, async (mode, expected) => {
      await using store = await WebDAVStore.open({ url: `${server.url}/fresh/deep`, conditionalPut: mode })
      expect(store.capabilities).toEqual({ conditionalPut: expected, consistentList: true })
      expect(readdirSync(server.root)).toEqual([])
      expect(await all(store.list())).toEqual([])
      if (expected) return
      await expect(store.put('a', bytes, { precondition: { kind: 'absent' } })).rejects.toMatchObject({
        code: 'unsupported',
        hint: expect.stringContaining('preconditions'),
      })
    })
  })
}

test.each([
  ['lighttpd/1.4.69', 'lighttpd'],
  ['Apache/2.4.71 (Debian)', 'Apache'],
  ['nginx', 'nginx'],
  ['', 'other'],
  ['not lighttpd', 'other'],
])('%s is %s', (header, name) => {
  expect(serverKind(header).name).toBe(name)
})
