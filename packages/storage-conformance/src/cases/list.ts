import { someBytes } from '../bytes.ts'
import { type Case, entriesOf, keysOf, putAll } from '../case.ts'
import { expectEqual, expectList, expectTrue } from '../expect.ts'

// Ascending: - . / 0-9 A-Z _ a-z
const ORDERED = [
  'a',
  'a-',
  'a-0/b',
  'a-b',
  'a-c/c',
  'a.',
  'a.b',
  'a.c/c',
  'a0',
  'a00/b',
  'a1',
  'a10',
  'a9',
  'aB',
  'a_b',
  'ab',
  'b-c/d',
  'b.c/d',
  'b/-',
  'b/.c',
  'b/0',
  'b/c',
  'b/c-d/e',
  'b/c.d',
  'b/cd',
  'b0/c',
  'f/000f',
  'f/0010',
  'f/00ff',
  'f/0100',
]

export const listCases: readonly Case[] = [
  {
    name: 'S4: a listing is in byte order of whole keys',
    async run({ store }) {
      await putAll(store, ORDERED.toReversed())
      expectList(await keysOf(store.list()), ORDERED, 'keys')
    },
  },
  {
    name: 'S4 S5 S7 S10: a listing across pages is complete, from any key, also while keys come and go',
    async run({ store, manyKeys }) {
      const keys = Array.from({ length: manyKeys }, (_, i) => `${i % 3}/${i.toString(16).padStart(4, '0')}`)
      await putAll(store, keys)
      keys.sort()
      expectList(await keysOf(store.list()), keys, 'keys')
      // Within the first page, around the ends of common pages, in the last one.
      const positions = [0, 1, keys.length >> 1, 998, 999, 1000, 1001, keys.length - 3, keys.length - 1]
      for (const at of positions.filter((position) => position < keys.length)) {
        const startAfter = keys[at]!
        expectList(await keysOf(store.list({ startAfter })), keys.slice(at + 1), `keys after ${startAfter}`)
        for (const prefix of ['1/', '2/']) {
          const selected = keys.slice(at + 1).filter((key) => key.startsWith(prefix))
          expectList(
            await keysOf(store.list({ startAfter, prefix })),
            selected,
            `${prefix} after ${startAfter}`,
          )
        }
      }
      // A listing that counts entries instead of going on after a key shifts when earlier ones go.
      const gone = keys.slice(1, 5)
      const seen: string[] = []
      for await (const { key } of store.list()) {
        if (seen.length === 0) {
          await store.delete(gone)
          await putAll(store, ['-', '0-', '1-', '2-', '3'])
        }
        seen.push(key)
      }
      expectTrue(
        seen.every((key, i) => i === 0 || seen[i - 1]! < key),
        'keys do not ascend while others come and go',
      )
      const stayed = new Set(keys.filter((key) => !gone.includes(key)))
      expectList(
        seen.filter((key) => stayed.has(key)),
        [...stayed],
        'keys that stayed',
      )
    },
  },
  {
    name: 'S6: a prefix selects strings, not folders',
    async run({ store }) {
      await putAll(store, ORDERED)
      for (const prefix of [
        '',
        'a',
        'a-',
        'a-b',
        'a.',
        'b',
        'b/',
        'b/c',
        'b/c-',
        'b/c-d/',
        'f/00',
        'f/0010',
        'c',
        'b/.',
      ]) {
        const expected = ORDERED.filter((key) => key.startsWith(prefix))
        expectList(await keysOf(store.list({ prefix })), expected, `keys with prefix ${prefix}`)
      }
    },
  },
  {
    name: 'S7: a listing starts strictly after a key that may not exist',
    async run({ store }) {
      await putAll(store, ORDERED)
      for (const startAfter of [
        ...ORDERED,
        '-',
        'a-a',
        'a/',
        'a/b',
        'b',
        'b/',
        'b/c-d',
        'b/c-d/',
        'b/c-d/ea',
        'zzz',
      ]) {
        const after = ORDERED.filter((key) => key > startAfter)
        expectList(await keysOf(store.list({ startAfter })), after, `keys after ${startAfter}`)
        const selected = after.filter((key) => key.startsWith('b/'))
        expectList(await keysOf(store.list({ startAfter, prefix: 'b/' })), selected, `b/ after ${startAfter}`)
      }
    },
  },
  {
    name: 'S8: an entry says what head says',
    async run({ store }) {
      await store.put('a', someBytes(3))
      await store.put('b', new Uint8Array(0))
      const entries = await entriesOf(store.list())
      expectList(
        entries.map(({ key }) => key),
        ['a', 'b'],
        'keys',
      )
      for (const entry of entries) {
        const info = await store.head(entry.key)
        expectEqual(entry.size, info.size, `size of ${entry.key}`)
        expectEqual(entry.etag, info.etag, `etag of ${entry.key}`)
        const apart = Math.abs(entry.modified.getTime() - info.modified.getTime())
        expectTrue(apart <= 1000, `modified of ${entry.key} differs by ${apart} ms`)
      }
    },
  },
  {
    name: 'S9: a listing sees every put and delete that finished before it',
    requires: 'consistentList',
    async run({ store, open }) {
      const other = await open()
      const expected = new Set<string>()
      for (let i = 0; i < 30; i++) {
        const key = `k${i % 7}`
        if (expected.delete(key)) await store.delete([key])
        else {
          await store.put(key, someBytes(1))
          expected.add(key)
        }
        expectList(await keysOf(other.list()), [...expected].sort(), `keys after step ${i}`)
      }
    },
  },
  {
    name: 'S10: a listing beside writers is ordered and has all that stayed',
    async run({ store }) {
      const stay = Array.from({ length: 150 }, (_, i) => `${i % 5}/s${String(i).padStart(3, '0')}`).sort()
      const change = stay.filter((_, i) => i % 3 === 0).map((key) => `${key}-x`)
      await putAll(store, [...stay, ...change])
      let writing = true
      const writer = (async () => {
        for (let i = 0; writing; i = (i + 1) % change.length) {
          await store.delete([change[i]!])
          await store.put(change[i]!, someBytes(2))
        }
      })()
      try {
        for (let round = 0; round < 5; round++) {
          const keys = await keysOf(store.list())
          expectTrue(
            keys.every((key, i) => i === 0 || keys[i - 1]! < key),
            'keys do not ascend',
          )
          expectList(
            keys.filter((key) => !key.endsWith('-x')),
            stay,
            'keys that stayed',
          )
        }
      } finally {
        writing = false
        await writer
      }
    },
  },
  {
    name: 'S11: a listing may be left early and may be empty',
    async run({ store }) {
      expectList(await keysOf(store.list()), [], 'keys of nothing')
      expectList(await keysOf(store.list({ prefix: 'no/such' })), [], 'keys of a missing prefix')
      await putAll(store, ['a', 'b', 'c'])
      for (let round = 0; round < 50; round++) {
        for await (const { key } of store.list()) {
          expectEqual(key, 'a', 'first key')
          break
        }
      }
      expectList(await keysOf(store.list()), ['a', 'b', 'c'], 'keys')
    },
  },
]
