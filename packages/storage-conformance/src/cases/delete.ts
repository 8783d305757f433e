import { type Case, keysOf, putAll } from '../case.ts'
import { expectCode, expectList } from '../expect.ts'

export const deleteCases: readonly Case[] = [
  {
    name: 'S35: delete takes missing keys, repeated keys and none',
    async run({ store }) {
      await store.delete([])
      await store.delete(['missing', 'a/missing', 'missing/too'])
      await putAll(store, ['a', 'b/c', 'b/d'])
      await store.delete(['a', 'missing', 'b/c', 'a', 'b/c'])
      expectList(await keysOf(store.list()), ['b/d'], 'keys')
      await expectCode(store.head('a'), 'not-found', 'head')
      await store.delete(['a', 'b/c'])
    },
  },
  {
    name: 'S35: one delete takes more keys than a service takes in a request',
    async run({ store, manyKeys }) {
      const keys = Array.from({ length: manyKeys }, (_, i) => `${i % 4}/${i}`)
      await putAll(store, [...keys, 'stays'])
      // Some are not there and some come twice, so that every request has such keys.
      await store.delete(keys.flatMap((key, i) => (i % 7 === 0 ? [`${key}-missing`, key, key] : [key])))
      expectList(await keysOf(store.list()), ['stays'], 'keys')
    },
  },
  {
    name: 'S36: delete removes nothing but its keys',
    async run({ store }) {
      const keys = ['a-b', 'a.b', 'a/b', 'a/b-c', 'a/b.c', 'a/bc', 'a/c', 'aa', 'b']
      await putAll(store, keys)
      await store.delete(['a', 'a/b', 'a.'])
      expectList(
        await keysOf(store.list()),
        keys.filter((key) => key !== 'a/b'),
        'keys',
      )
    },
  },
]
