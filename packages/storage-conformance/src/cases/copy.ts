import {
  type BlobInfo,
  type BlobStore,
  type CopyOptions,
  copyBlob,
  getBytes,
  isStorageError,
  type Precondition,
} from '@sqlstream/storage'
import { someBytes } from '../bytes.ts'
import { type Case, keysOf } from '../case.ts'
import { expectBytes, expectCode, expectEqual, expectList, expectTrue, reasonOf, within } from '../expect.ts'

const reason = new Error('enough')

/** Copies within a store, or from another handle on the same place. */
function copied(
  store: BlobStore,
  from: string,
  to: string,
  options?: CopyOptions,
  source: BlobStore = store,
): Promise<BlobInfo | undefined> {
  return copyBlob({ store: source, key: from }, { store, key: to }, options)
}

/** Keys and bytes of everything. */
async function contentOf(store: BlobStore): Promise<string> {
  const entries: string[] = []
  for (const key of await keysOf(store.list())) entries.push(`${key} ${(await getBytes(store, key)).join()}`)
  return entries.join('\n')
}

async function unchanged<T>(store: BlobStore, what: string, work: () => Promise<T>): Promise<T> {
  const before = await contentOf(store)
  const result = await work()
  expectEqual(await contentOf(store), before, `objects after ${what}`)
  return result
}

/** A copy that must be refused, or be left to the caller; nothing may change. */
async function notMade(
  store: BlobStore,
  precondition: Precondition,
  to: string,
  what: string,
): Promise<void> {
  await unchanged(store, what, async () => {
    const outcome = await copied(store, 'source', to, { precondition }).catch((error: unknown) => {
      if (isStorageError(error, 'precondition-failed')) return undefined
      throw new Error(`${what}: rejected with ${error}`, { cause: error })
    })
    expectEqual(outcome, undefined, what)
  })
}

export const copyCases: readonly Case[] = [
  {
    name: 'S48: copy stores the bytes of another object, by any handle, and resolves with its info',
    offers: 'copy',
    async run({ store, open }) {
      const other = await open()
      for (const size of [1000, 10, 0, 70_000]) {
        await store.put('source/a', someBytes(size, size))
        for (const [i, from] of [store, other].entries()) {
          const info = await copied(store, 'source/a', `copy/${i}`, {}, from)
          if (info === undefined) throw new Error(`${size} bytes were not copied`)
          const head = await other.head(`copy/${i}`)
          expectEqual(info.key, `copy/${i}`, 'key')
          expectEqual(info.size, size, 'size')
          expectEqual(info.etag, head.etag, 'etag')
          const apart = Math.abs(info.modified.getTime() - head.modified.getTime())
          expectTrue(apart <= 1000, `modified of copy and of head differ by ${apart} ms`)
          expectBytes(await getBytes(other, `copy/${i}`), someBytes(size, size), `${size} bytes`)
          expectBytes(await getBytes(store, 'source/a'), someBytes(size, size), 'the source')
        }
      }
      expectList(await keysOf(store.list()), ['copy/0', 'copy/1', 'source/a'], 'keys')
    },
  },
  {
    name: 'S48: a copy and its source are two objects',
    offers: 'copy',
    async run({ store }) {
      await store.put('a', someBytes(1000, 1))
      await copied(store, 'a', 'b')
      await copied(store, 'b', 'c')
      await store.put('a', someBytes(500, 2))
      expectBytes(await getBytes(store, 'b'), someBytes(1000, 1), 'the copy of an object that was replaced')
      await store.delete(['b'])
      expectBytes(await getBytes(store, 'c'), someBytes(1000, 1), 'the copy of an object that was deleted')
      await store.put('c', someBytes(10, 3))
      expectBytes(await getBytes(store, 'a'), someBytes(500, 2), 'another object')
    },
  },
  {
    name: 'S48: a large object is copied',
    offers: 'copy',
    async run({ store, largeBytes }) {
      const bytes = someBytes(largeBytes)
      await store.put('a', bytes)
      const info = await copied(store, 'a', 'b')
      expectEqual(info?.size, largeBytes, 'size')
      expectBytes(await getBytes(store, 'b'), bytes, 'large copy')
    },
  },
  {
    name: 'S49: a copy keeps a precondition, or is left to the caller',
    offers: 'copy',
    requires: 'conditionalPut',
    async run({ store }) {
      await store.put('source', someBytes(1000))
      const absent = { kind: 'absent' } as const
      const made = await copied(store, 'source', 'new', { precondition: absent })
      if (made !== undefined) expectBytes(await getBytes(store, 'new'), someBytes(1000), 'copy')
      const first = await store.put('old', someBytes(10, 1))
      await notMade(store, absent, 'old', 'absent on an object')
      const second = await store.put('old', someBytes(10, 2))
      await notMade(store, { kind: 'match', etag: first.etag }, 'old', 'match on an old version')
      await notMade(store, { kind: 'match', etag: first.etag }, 'missing', 'match on nothing')
      const match = { kind: 'match', etag: second.etag } as const
      if ((await copied(store, 'source', 'old', { precondition: match })) !== undefined) {
        expectBytes(await getBytes(store, 'old'), someBytes(1000), 'copy over the version it names')
      }
    },
  },
  {
    name: 'S49: of copies and puts with absent at once exactly one wins',
    offers: 'copy',
    requires: 'conditionalPut',
    async run({ store, open }) {
      const stores = await Promise.all(Array.from({ length: 6 }, () => open()))
      await store.put('source', someBytes(1000))
      const precondition = { kind: 'absent' } as const
      for (let round = 0; round < 10; round++) {
        const key = `k${round}`
        const outcomes = await Promise.allSettled(
          stores.map((each, i) =>
            i % 2 === 0
              ? copied(each, 'source', key, { precondition })
              : each.put(key, someBytes(1000, 1 + round * 10 + i), { precondition }),
          ),
        )
        const winners = outcomes.flatMap((outcome, i) =>
          outcome.status === 'fulfilled' && outcome.value !== undefined ? [i] : [],
        )
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected')
            await expectCode(Promise.reject(outcome.reason), 'precondition-failed', 'a loser')
        }
        expectEqual(winners.length, 1, 'winners')
        const seed = winners[0]! % 2 === 0 ? undefined : 1 + round * 10 + winners[0]!
        expectBytes(await getBytes(store, key), someBytes(1000, seed), 'the winner')
      }
    },
  },
  {
    name: 'S49: a store without conditional puts leaves a copy with a precondition to the caller',
    offers: 'copy',
    unless: 'conditionalPut',
    async run({ store }) {
      await store.put('source', someBytes(10))
      const { etag } = await store.put('old', someBytes(10, 1))
      await notMade(store, { kind: 'absent' }, 'new', 'absent')
      await notMade(store, { kind: 'match', etag }, 'old', 'match')
    },
  },
  {
    name: 'S50: a copy of nothing and a copy with an illegal key reject and change nothing',
    offers: 'copy',
    async run({ store }) {
      await store.put('old', someBytes(10))
      for (const key of ['old', 'new/er'])
        await unchanged(store, 'a copy of nothing', async () => {
          const error = await expectCode(copied(store, 'missing', key), 'not-found', 'a copy of nothing')
          expectEqual(error.operation, 'copy', 'operation')
          expectEqual(error.driver, store.driver, 'driver')
          expectEqual(error.key, key, 'key')
        })
      await unchanged(store, 'an illegal key', async () => {
        await expectCode(copied(store, 'old', 'a//b'), 'invalid-key', 'a copy to an illegal key')
        await expectCode(copied(store, 'a//b', 'new'), 'invalid-key', 'a copy of an illegal key')
      })
    },
  },
  {
    name: 'S51: what a store cannot copy it leaves to the caller',
    offers: 'copy',
    async run({ store }) {
      await store.put('old', someBytes(10))
      const foreign: BlobStore = {
        driver: store.driver,
        capabilities: store.capabilities,
        list: (options) => store.list(options),
        head: (key, options) => store.head(key, options),
        get: (key, options) => store.get(key, options),
        put: (key, body, options) => store.put(key, body, options),
        delete: (keys, options) => store.delete(keys, options),
        copySource: (key) => ({ store: foreign, key }),
        [Symbol.asyncDispose]: async () => {},
      }
      await unchanged(store, 'a copy from another kind of store', async () => {
        for (const key of ['old', 'new'])
          expectEqual(await copied(store, 'old', key, {}, foreign), undefined, 'copy from another kind')
      })
    },
  },
  {
    name: 'S52: the time of a copy is that of a put with the same timestamp',
    offers: 'copy',
    async run({ store }) {
      const timestamp = new Date('2001-02-03T04:05:06.789Z')
      const put = await store.put('a', someBytes(3), { timestamp })
      await copied(store, 'a', 'b', { timestamp })
      const { modified } = await store.head('b')
      const apart = Math.abs(modified.getTime() - put.modified.getTime())
      expectTrue(
        apart < 60_000,
        `modified is ${modified.toISOString()}, of a put ${put.modified.toISOString()}`,
      )
    },
  },
  {
    name: 'S53: an abort ends a copy, or comes too late',
    offers: 'copy',
    async run({ store, abortPatienceMs }) {
      await store.put('a', someBytes(100_000))
      await unchanged(store, 'an aborted copy', async () => {
        const copying = copied(store, 'a', 'b', { signal: AbortSignal.abort(reason) })
        expectEqual(await within(abortPatienceMs, reasonOf(copying, 'copy'), 'copy'), reason, 'reason')
      })
      for (const turns of [0, 1, 3, 10, 30]) {
        const aborter = new AbortController()
        const outcome = copied(store, 'a', 'b', { signal: aborter.signal }).then(
          () => reason,
          (error: unknown) => error,
        )
        for (let turn = 0; turn < turns; turn++) await Promise.resolve()
        aborter.abort(reason)
        expectEqual(await within(abortPatienceMs, outcome, 'copy'), reason, 'reason')
        const bytes = await getBytes(store, 'b').catch(() => undefined)
        if (bytes !== undefined) expectBytes(bytes, someBytes(100_000), 'object after an aborted copy')
      }
    },
  },
]
