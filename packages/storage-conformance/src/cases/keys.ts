import { getBytes } from '@sqlstream/storage'
import { someBytes } from '../bytes.ts'
import { type Case, keysOf } from '../case.ts'
import { expectBytes, expectCode, expectList, reasonOf } from '../expect.ts'

/** Illegal wherever they stand; a store that takes them all the same stays below the prefix of the test. */
const ILLEGAL = [
  '',
  'a/',
  'a//b',
  '.',
  'a/.',
  'a/..',
  'a/../b',
  './a',
  'a b',
  'a\\b',
  'a\0b',
  'a\nb',
  'ä',
  'a~b',
  'a%2fb',
  'a:b',
  'a?b',
  'a#b',
  'a*b',
  `a/${'x'.repeat(256)}`,
  `${'x/'.repeat(512)}x`,
]

/** These could lead out of the place of the test, so they are only used for reading. */
const OUTSIDE = ['/', '/a', '..', '../a', 'a/../../b', '../../../../etc/passwd']

const UNUSUAL = [
  'a',
  '0',
  '-',
  '_',
  '...',
  '.hidden',
  'a..b',
  '-a',
  'a.',
  'a.tmp',
  '.sqlstream/lease.json',
  'CON',
  'index.html',
  'x'.repeat(255),
  `${'deep/'.repeat(80)}end`,
  '0000/0000000000000001-0000000000000001.ltx',
]

export const keyCases: readonly Case[] = [
  {
    name: 'S1: every call with an illegal key rejects and changes nothing',
    async run({ harness, store }) {
      await store.put('kept', someBytes(3))
      for (const key of ILLEGAL) {
        const shown = JSON.stringify(key.slice(0, 40))
        await expectCode(store.head(key), 'invalid-key', `head ${shown}`)
        await expectCode(store.get(key), 'invalid-key', `get ${shown}`)
        await expectCode(store.put(key, new Uint8Array(1)), 'invalid-key', `put ${shown}`)
        await expectCode(store.delete(['kept', key]), 'invalid-key', `delete ${shown}`)
      }
      await using bare = await harness.open()
      for (const key of OUTSIDE) {
        await expectCode(bare.head(key), 'invalid-key', `head ${key}`)
        await expectCode(bare.get(key), 'invalid-key', `get ${key}`)
      }
      expectList(await keysOf(store.list()), ['kept'], 'keys')
    },
  },
  {
    name: 'S1: a list with an illegal prefix or startAfter rejects',
    async run({ harness }) {
      await using bare = await harness.open()
      for (const text of ['/', '/a', 'a//b', '../a', 'a/../b', './', 'a b', 'a\0', 'ä', 'a*']) {
        await expectCode(keysOf(bare.list({ prefix: text })), 'invalid-key', `prefix ${JSON.stringify(text)}`)
        await expectCode(
          keysOf(bare.list({ startAfter: text })),
          'invalid-key',
          `startAfter ${JSON.stringify(text)}`,
        )
      }
    },
  },
  {
    name: 'S2: unusual legal keys work in every call',
    async run({ store }) {
      for (const [i, key] of UNUSUAL.entries()) {
        await store.put(key, someBytes(10, i))
        expectBytes(await getBytes(store, key), someBytes(10, i), `bytes of ${key.slice(0, 40)}`)
      }
      expectList(await keysOf(store.list()), UNUSUAL.toSorted(), 'keys')
      await store.delete(UNUSUAL)
      expectList(await keysOf(store.list()), [], 'keys after delete')
    },
  },
  {
    name: 'S3: a key that is a folder of another is stored beside it or refused',
    async run({ store }) {
      for (const [first, second] of [
        ['a', 'a/b'],
        ['c/d', 'c'],
      ] as const) {
        await store.put(first, someBytes(5))
        const outcome = await store.put(second, someBytes(7)).then(
          () => 'stored',
          (reason: unknown) => reason,
        )
        if (outcome === 'stored') {
          expectBytes(await getBytes(store, second), someBytes(7), second)
          await store.delete([second])
        } else {
          await expectCode(Promise.reject(outcome), 'invalid-key', `put ${second} beside ${first}`)
          await reasonOf(store.head(second), `head ${second}`)
        }
        expectBytes(await getBytes(store, first), someBytes(5), first)
      }
    },
  },
  {
    name: 'S3: a folder is gone with its last object',
    async run({ store }) {
      await store.put('a/b/c', someBytes(5))
      await expectCode(store.head('a/b'), 'not-found', 'head of a folder')
      await expectCode(store.get('a'), 'not-found', 'get of a folder')
      await store.delete(['a', 'a/b'])
      expectList(await keysOf(store.list()), ['a/b/c'], 'keys after folders were deleted')
      await store.delete(['a/b/c'])
      await store.put('a', someBytes(7))
      expectBytes(await getBytes(store, 'a'), someBytes(7), 'a')
    },
  },
]
