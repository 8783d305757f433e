import {
  type BlobInfo,
  type BlobStore,
  discardBody,
  getBytes,
  isStorageError,
  type ReplayableBody,
} from '@sqlstream/storage'
import { someBytes, watchedBody } from '../bytes.ts'
import { type Case, entriesOf, keysOf } from '../case.ts'
import { expectBytes, expectEqual, expectList, expectTrue, reasonOf, within } from '../expect.ts'

function joined(parts: readonly Uint8Array[]): Uint8Array {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let offset = 0
  for (const part of parts) {
    bytes.set(part, offset)
    offset += part.length
  }
  return bytes
}

function sameInfo(actual: BlobInfo, expected: BlobInfo): void {
  expectEqual(actual.key, expected.key, 'key')
  expectEqual(actual.size, expected.size, 'size')
  expectEqual(actual.etag, expected.etag, 'etag')
}

/** Puts a bad body on a new key and over an old object, and looks that neither key changed. */
async function refused(store: BlobStore, makeBody: () => ReplayableBody, what: string): Promise<unknown> {
  const old = await store.put('old', someBytes(100))
  const reason = await reasonOf(store.put('new', makeBody()), what)
  await reasonOf(store.put('old', makeBody()), what)
  expectList(await keysOf(store.list()), ['old'], `keys after ${what}`)
  expectBytes(await getBytes(store, 'old'), someBytes(100), `older object after ${what}`)
  expectEqual((await store.head('old')).etag, old.etag, `etag after ${what}`)
  return reason
}

function hasCause(reason: unknown, wanted: unknown): boolean {
  for (let error = reason, depth = 0; depth < 10; depth++) {
    if (error === wanted) return true
    if (!(error instanceof Error)) return false
    error = error.cause
  }
  return false
}

export const putCases: readonly Case[] = [
  {
    name: 'S21: put replaces the whole object and resolves with its info',
    async run({ store }) {
      for (const size of [1000, 10, 0, 70_000]) {
        const before = Date.now()
        const info = await store.put('a', someBytes(size, size))
        expectEqual(info.size, size, 'size')
        sameInfo(info, await store.head('a'))
        expectBytes(await getBytes(store, 'a'), someBytes(size, size), `${size} bytes`)
        // A server's clock may be wrong, but not by a day.
        expectTrue(Math.abs(info.modified.getTime() - before) < 86_400_000, `modified is ${info.modified}`)
      }
    },
  },
  {
    name: 'S22 S26: a body that fails half-way leaves nothing and is the reason',
    async run({ store }) {
      for (const good of [0, 1, 300_000]) {
        const failure = new Error('the body broke')
        const bodies: ReturnType<typeof watchedBody>[] = []
        const makeBody = (): ReplayableBody => {
          const parts = [someBytes(good), () => Promise.reject(failure), someBytes(good)]
          bodies.push(watchedBody({ parts, ...(good === 1 ? { size: 2 } : {}) }))
          return bodies.at(-1)!
        }
        const reason = await refused(store, makeBody, `a failure after ${good} bytes`)
        expectTrue(
          hasCause(reason, failure),
          `rejected with ${reason}, whose causes do not hold the body's error`,
        )
        for (const body of bodies) expectEqual(body.released, body.opened, 'readings released')
      }
    },
  },
  {
    name: 'S23 S26: replayable bodies of every shape are stored, and again',
    async run({ store }) {
      const part = someBytes(100_000)
      const none = new Uint8Array(0)
      const tiny = Array.from({ length: 500 }, (_, i) => part.subarray(i, i + 1))
      const huge = someBytes(6 << 20)
      for (const parts of [[], [none], [part], [none, part, none, none, part], tiny, [huge, part]]) {
        const expected = joined(parts)
        const size = expected.length
        for (const known of [{ size }, {}]) {
          const body = watchedBody({ parts, ...known })
          for (const key of ['a', 'b']) {
            expectEqual((await store.put(key, body)).size, size, 'size')
            expectBytes(await getBytes(store, key), expected, `${size} bytes`)
          }
          expectEqual(body.released, body.opened, 'readings released')
        }
      }
    },
  },
  {
    name: 'S24 S26: a body that is not as long as its size is refused',
    async run({ store }) {
      for (const [actual, size] of [
        [0, 1],
        [10, 9],
        [10, 11],
        [300_000, 200_000],
        [300_000, 400_000],
      ] as const) {
        const bodies: ReturnType<typeof watchedBody>[] = []
        await refused(
          store,
          () => {
            bodies.push(watchedBody({ parts: [someBytes(actual)], size }))
            return bodies.at(-1)!
          },
          `${actual} bytes instead of ${size}`,
        )
        for (const body of bodies) expectEqual(body.released, body.opened, 'readings released')
      }
    },
  },
  {
    name: 'S25: put stores the view and keeps no reference to it',
    async run({ store }) {
      const pool = someBytes(1000)
      const view = pool.subarray(100, 200)
      const expected = view.slice()
      await store.put('a', view)
      await store.put('b', {
        size: 100,
        open: async function* () {
          yield view.subarray(0, 50)
          yield view.subarray(50)
        },
      })
      // A source that uses its buffer again for the next chunk.
      const buffer = new Uint8Array(50)
      await store.put('c', {
        size: 100,
        open: async function* () {
          for (const at of [0, 50]) {
            buffer.set(expected.subarray(at, at + 50))
            yield buffer
          }
        },
      })
      pool.fill(0)
      buffer.fill(0)
      for (const key of ['a', 'b', 'c']) expectBytes(await getBytes(store, key), expected, key)
    },
  },
  {
    name: 'S27: readers beside a writer see whole versions',
    async run({ store }) {
      // Each version is one byte value and its own length, so that a mixture shows.
      const version = (n: number): Uint8Array => new Uint8Array(50_000 + n * 10_000).fill(n)
      await store.put('a', version(0))
      let writing = true
      const writer = (async () => {
        for (let n = 1; n < 40; n++) await store.put('a', version(n % 10))
        writing = false
      })()
      do {
        const bytes = await getBytes(store, 'a').catch((error: unknown) => {
          // getBytes resumes a cut body, and may then find another version: that is S20, not a mixture.
          if (isStorageError(error, 'precondition-failed')) return version(0)
          throw error
        })
        expectBytes(bytes, version(bytes[0] ?? 0), 'a version')
      } while (writing)
      await writer
    },
  },
  {
    name: 'S28: the etag stays with the object and changes with its bytes',
    async run({ store, open }) {
      const other = await open()
      const seen = new Set<string>()
      for (let n = 0; n < 10; n++) {
        const { etag } = await store.put('a', someBytes(64, n))
        expectTrue(!seen.has(etag), `version ${n} has an etag of another`)
        seen.add(etag)
        await other.put('b', someBytes(64, n))
        expectEqual((await other.head('a')).etag, etag, 'etag by another handle')
        const { info, body } = await store.get('a', { range: { suffix: 3 } })
        await discardBody(body)
        expectEqual(info.etag, etag, 'etag by get')
      }
    },
  },
  {
    name: 'S29: a timestamp is accepted and modified is it or the clock',
    async run({ store }) {
      const timestamp = new Date('2001-02-03T04:05:06.789Z')
      await store.put('a', someBytes(3), { timestamp })
      const { modified } = await within(60_000, store.head('a'), 'head')
      const { info, body } = await store.get('a')
      await discardBody(body)
      for (const other of [info, ...(await entriesOf(store.list()))]) {
        const apart = Math.abs(other.modified.getTime() - modified.getTime())
        expectTrue(apart <= 1000, `modified of head and of get or list differ by ${apart} ms`)
      }
      const isTimestamp = Math.abs(modified.getTime() - timestamp.getTime()) <= 2000
      const isNow = Math.abs(modified.getTime() - Date.now()) < 86_400_000
      expectTrue(isTimestamp || isNow, `modified is ${modified.toISOString()}`)
    },
  },
]
