import { type ByteRange, discardBody, getBytes } from '@sqlstream/storage'
import { someBytes } from '../bytes.ts'
import type { Case } from '../case.ts'
import { expectBytes, expectCode, expectEqual, expectTrue, reasonOf } from '../expect.ts'

const BIG = 1 << 20

export const getCases: readonly Case[] = [
  {
    name: 'S12: head and get of a missing key reject',
    async run({ store }) {
      await store.put('a', someBytes(3))
      for (const key of ['b', 'a/b', 'A-', 'aa']) {
        await expectCode(store.head(key), 'not-found', `head ${key}`)
        await expectCode(store.get(key), 'not-found', `get ${key}`)
        await expectCode(store.get(key, { range: { offset: 0, length: 1 } }), 'not-found', `range of ${key}`)
        await expectCode(store.get(key, { range: { suffix: 1 } }), 'not-found', `suffix of ${key}`)
      }
    },
  },
  {
    name: 'S13: get yields the bytes that were put',
    async run({ store }) {
      for (const size of [0, 1, 255, 65_536, BIG + 1]) {
        const put = await store.put('a', someBytes(size))
        const { info, body } = await store.get('a')
        expectEqual(info.key, 'a', 'key')
        expectEqual(info.size, size, 'size')
        expectEqual(info.etag, put.etag, 'etag')
        const { modified } = await store.head('a')
        const apart = Math.abs(info.modified.getTime() - modified.getTime())
        expectTrue(apart <= 1000, `modified of get and of head differ by ${apart} ms`)
        await discardBody(body)
        expectBytes(await getBytes(store, 'a'), someBytes(size), `${size} bytes`)
      }
    },
  },
  {
    name: 'S13: bytes that look like something else are given back as they are',
    async run({ store }) {
      const text = (string: string): Uint8Array => new TextEncoder().encode(string)
      const looks: [string, Uint8Array][] = [
        [
          'a.gz',
          Uint8Array.of(0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3, 1, 0, 0, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0),
        ],
        ['a.html', text('<html>\r\n<head></head><body>a b</body></html>\r\n')],
        ['a.xml', text('<?xml version="1.0"?><Error><Code>NoSuchKey</Code><Message>no</Message></Error>')],
        ['a.json', text('{"error":{"code":404,"message":"Not Found"}}')],
        ['a.txt', text('\ufeffline\nline\r\nline\r\0\u001a')],
        ['a.chunked', text('5;chunk-signature=0000\r\nhello\r\n0;chunk-signature=0000\r\n\r\n')],
      ]
      for (const [key, bytes] of looks) {
        await store.put(key, bytes)
        expectEqual((await store.head(key)).size, bytes.length, `size of ${key}`)
        expectBytes(await getBytes(store, key), bytes, key)
        expectBytes(await getBytes(store, key, { range: { offset: 2, length: 9 } }), bytes.slice(2, 11), key)
      }
    },
  },
  {
    name: 'S14: an offset range yields its bytes and is cut off at the end',
    async run({ store }) {
      const bytes = someBytes(BIG)
      await store.put('a', bytes)
      const ranges: [number, number | undefined][] = [
        [0, 1],
        [0, BIG],
        [0, undefined],
        [1, undefined],
        [7, 100],
        [BIG - 1, 1],
        [BIG - 1, undefined],
        [BIG - 1, 1000],
        [65_535, 2],
        [100, BIG * 4],
        [5, 300_000],
      ]
      for (const [offset, length] of ranges) {
        const range: ByteRange = length === undefined ? { offset } : { offset, length }
        const expected = bytes.subarray(offset, length === undefined ? undefined : offset + length)
        expectBytes(await getBytes(store, 'a', { range }), expected, `range ${offset}+${length}`)
        const { info, body } = await store.get('a', { range })
        await discardBody(body)
        expectEqual(info.size, BIG, 'size of the whole object')
      }
    },
  },
  {
    name: 'S15: a suffix range yields the last bytes, at most all',
    async run({ store }) {
      const bytes = someBytes(1000)
      const { etag } = await store.put('a', bytes)
      for (const suffix of [1, 16, 999, 1000, 1001, 1_000_000]) {
        const expected = bytes.subarray(Math.max(0, 1000 - suffix))
        const { info, body } = await store.get('a', { range: { suffix } })
        await discardBody(body)
        expectEqual(info.size, 1000, 'size of the whole object')
        expectEqual(info.etag, etag, 'etag')
        expectBytes(await getBytes(store, 'a', { range: { suffix } }), expected, `last ${suffix}`)
      }
    },
  },
  {
    name: 'S16: a range without a byte of the object rejects',
    async run({ store }) {
      await store.put('a', someBytes(10))
      await store.put('empty', new Uint8Array(0))
      const cases: [string, ByteRange][] = [
        ['a', { offset: 10 }],
        ['a', { offset: 10, length: 5 }],
        ['a', { offset: 1000, length: 1 }],
        ['empty', { offset: 0 }],
        ['empty', { offset: 0, length: 1 }],
        ['empty', { suffix: 1 }],
      ]
      for (const [key, range] of cases) {
        const what = `${key} ${JSON.stringify(range)}`
        await expectCode(store.get(key, { range }), 'range-not-satisfiable', what)
      }
    },
  },
  {
    name: 'S17: a range that is no range rejects with a RangeError',
    async run({ store }) {
      await store.put('a', someBytes(10))
      const ranges: ByteRange[] = [
        { offset: -1 },
        { offset: 0.5 },
        { offset: 0, length: 0 },
        { offset: 0, length: -1 },
        { offset: Number.NaN },
        { suffix: 0 },
        { suffix: -1 },
        { suffix: 1.5 },
        { offset: 0, length: Infinity },
      ]
      for (const range of ranges) {
        const what = JSON.stringify(range)
        const reason = await reasonOf(store.get('a', { range }), what)
        expectTrue(reason instanceof RangeError, `${what}: rejected with ${reason}`)
      }
    },
  },
  {
    name: 'S18: bodies that are not read to the end give back what they hold',
    async run({ store }) {
      const bytes = someBytes(BIG)
      await store.put('a', bytes)
      // More than the sockets or connections that a client commonly keeps.
      for (let i = 0; i < 80; i++) {
        const { body } = await store.get('a')
        if (i % 2 === 0) await discardBody(body)
        else for await (const _ of body) break
      }
      expectBytes(await getBytes(store, 'a'), bytes, 'bytes at last')
    },
  },
  {
    name: 'S19: a chunk belongs to its reader',
    async run({ store }) {
      const bytes = someBytes(BIG)
      await store.put('a', bytes)
      const kept: [Uint8Array, Uint8Array][] = []
      const { body } = await store.get('a')
      for await (const chunk of body) kept.push([chunk, chunk.slice()])
      for (const [chunk, copy] of kept) expectBytes(chunk, copy, 'chunk after the reading')
      for (const [chunk] of kept) chunk.fill(0)
      expectBytes(await getBytes(store, 'a'), bytes, 'object after its chunks were changed')
    },
  },
  {
    name: 'S20: a body is of one version',
    async run({ store }) {
      const versions = [someBytes(BIG * 3, 1), someBytes(BIG * 3, 2)]
      for (const next of ['replaced', 'deleted']) {
        await store.put('a', versions[0]!)
        const { body } = await store.get('a')
        const chunks: Uint8Array[] = []
        try {
          for await (const chunk of body) {
            if (chunks.length === 0)
              await (next === 'replaced' ? store.put('a', versions[1]!) : store.delete(['a']))
            chunks.push(chunk)
          }
        } catch {
          continue
        }
        let offset = 0
        for (const chunk of chunks) {
          expectBytes(chunk, versions[0]!.subarray(offset, offset + chunk.length), `chunk, object ${next}`)
          offset += chunk.length
        }
        expectEqual(offset, versions[0]!.length, `bytes read, object ${next}`)
      }
    },
  },
]
