import { getBytes } from '@sqlstream/storage'
import { someBytes } from '../bytes.ts'
import { type Case, keysOf } from '../case.ts'
import { expectBytes, expectEqual, expectList } from '../expect.ts'

/** More than the sockets, streams or handles that a client commonly has. */
const CALLS = 120

export const atOnceCases: readonly Case[] = [
  {
    name: 'S47: many calls at once are all carried out',
    async run({ store }) {
      const keys = Array.from({ length: CALLS }, (_, i) => `k${String(i).padStart(3, '0')}`)
      const put = await Promise.all(keys.map((key, i) => store.put(key, someBytes(1000 + i, i))))
      const [infos, bodies, listings] = await Promise.all([
        Promise.all(keys.map((key) => store.head(key))),
        Promise.all(keys.map((key) => getBytes(store, key))),
        Promise.all(Array.from({ length: 10 }, () => keysOf(store.list()))),
      ])
      for (const [i, info] of infos.entries()) expectEqual(info.etag, put[i]!.etag, `etag of ${info.key}`)
      for (const [i, bytes] of bodies.entries()) expectBytes(bytes, someBytes(1000 + i, i), keys[i]!)
      for (const listing of listings) expectList(listing, keys, 'keys')
      await Promise.all(keys.map((key) => store.delete([key])))
      expectList(await keysOf(store.list()), [], 'keys at last')
    },
  },
]
