import { type BlobStore, type ETag, getBytes, isStorageError } from '@sqlstream/storage'
import { someBytes, watchedBody } from '../bytes.ts'
import { type Case, keysOf } from '../case.ts'
import { expectBytes, expectCode, expectEqual, expectList, expectTrue, reasonOf, within } from '../expect.ts'
import { expectOvertaken } from '../overtaken.ts'

/**
 * Starts several puts together; all but the winner must be refused. Each round has bodies of its own: an ETag may be a hash of the
 * bytes, and who puts the version that is there once more changes none.
 * @returns the bytes of the winner
 */
async function race(
  stores: readonly BlobStore[],
  key: string,
  etag: ETag | undefined,
  round: number,
): Promise<Uint8Array> {
  const bodies = stores.map((_, i) => someBytes(2000, 100 * round + i))
  const outcomes = await Promise.allSettled(
    stores.map((store, i) =>
      store.put(key, watchedBody({ parts: [bodies[i]!.subarray(0, 999), bodies[i]!.subarray(999)] }), {
        precondition: etag === undefined ? { kind: 'absent' } : { kind: 'match', etag },
      }),
    ),
  )
  const winners = outcomes.flatMap((outcome, i) => (outcome.status === 'fulfilled' ? [i] : []))
  for (const outcome of outcomes) {
    if (outcome.status === 'rejected')
      await expectCode(Promise.reject(outcome.reason), 'precondition-failed', 'a loser')
  }
  expectEqual(winners.length, 1, 'winners')
  return bodies[winners[0]!]!
}

async function openSome({ open }: { open(): Promise<BlobStore> }): Promise<BlobStore[]> {
  return Promise.all(Array.from({ length: 8 }, () => open()))
}

export const preconditionCases: readonly Case[] = [
  {
    name: 'S30: absent creates and never replaces',
    requires: 'conditionalPut',
    async run({ store }) {
      const precondition = { kind: 'absent' } as const
      const { etag } = await store.put('a/b', someBytes(10, 1), { precondition })
      for (const size of [0, 10, 100_000]) {
        await expectCode(
          store.put('a/b', someBytes(size, 2), { precondition }),
          'precondition-failed',
          'second put',
        )
      }
      expectEqual((await store.head('a/b')).etag, etag, 'etag')
      expectBytes(await getBytes(store, 'a/b'), someBytes(10, 1), 'object')
      await store.delete(['a/b'])
      await store.put('a/b', someBytes(10, 3), { precondition })
      expectBytes(await getBytes(store, 'a/b'), someBytes(10, 3), 'object after a delete')
    },
  },
  {
    name: 'S30 S32: the precondition is judged when the object becomes visible, not before',
    requires: 'conditionalPut',
    async run({ store, open }) {
      const other = await open()
      await expectOvertaken(store, other, 1000)
    },
  },
  {
    name: 'S30 S32 S22: after a conditional put that failed or was aborted, the next one is judged as if it had not been',
    requires: 'conditionalPut',
    async run({ store, abortPatienceMs }) {
      for (const end of ['failed', 'aborted'] as const) {
        const { etag } = await store.put('old', someBytes(100))
        for (const [key, precondition] of [
          ['new', { kind: 'absent' }],
          ['old', { kind: 'match', etag }],
        ] as const) {
          const aborter = new AbortController()
          const reason = new Error('the body broke')
          async function breakOff(): Promise<void> {
            if (end === 'failed') throw reason
            aborter.abort(reason)
            await new Promise<void>(() => {})
          }
          const body = watchedBody({ parts: [someBytes(1000), breakOff] })
          const put = store.put(key, body, { precondition, signal: aborter.signal })
          await within(abortPatienceMs, reasonOf(put, `a put that ${end}`), `a put that ${end}`)
          await store.put(key, someBytes(10, 7), { precondition })
          expectBytes(await getBytes(store, key), someBytes(10, 7), `${key} after a put that ${end}`)
        }
        await store.delete(['new'])
      }
    },
  },
  {
    name: 'S31: of puts with absent at once exactly one wins',
    requires: 'conditionalPut',
    async run(context) {
      const stores = await openSome(context)
      for (let round = 0; round < 10; round++) {
        const winner = await race(stores, `k${round}`, undefined, round)
        expectBytes(await getBytes(context.store, `k${round}`), winner, 'the winner')
      }
    },
  },
  {
    name: 'S32: match replaces the named version only',
    requires: 'conditionalPut',
    async run({ store }) {
      const first = await store.put('a', someBytes(10, 1))
      const matchFirst = { precondition: { kind: 'match', etag: first.etag } } as const
      await expectCode(
        store.put('missing', someBytes(1), matchFirst),
        'precondition-failed',
        'match on nothing',
      )
      const second = await store.put('a', someBytes(10, 2), matchFirst)
      await expectCode(
        store.put('a', someBytes(10, 3), matchFirst),
        'precondition-failed',
        'match on an old version',
      )
      expectBytes(await getBytes(store, 'a'), someBytes(10, 2), 'object')
      // An ETag read by a listing serves as well as one from put.
      for await (const { etag } of store.list()) {
        expectEqual(etag, second.etag, 'etag in the listing')
        await store.put('a', someBytes(10, 4), { precondition: { kind: 'match', etag } })
      }
      await store.delete(['a'])
      const match = { precondition: { kind: 'match', etag: second.etag } } as const
      await expectCode(store.put('a', someBytes(10), match), 'precondition-failed', 'match after a delete')
      expectList(await keysOf(store.list()), [], 'keys')
    },
  },
  {
    name: 'S33: of puts with the same match at once exactly one wins',
    requires: 'conditionalPut',
    async run(context) {
      const stores = await openSome(context)
      let { etag } = await context.store.put('a', someBytes(10))
      for (let round = 0; round < 10; round++) {
        const winner = await race(stores, 'a', etag, round)
        expectBytes(await getBytes(context.store, 'a'), winner, 'the winner')
        etag = (await context.store.head('a')).etag
      }
    },
  },
  {
    name: 'S33: no update of a counter is lost',
    requires: 'conditionalPut',
    async run(context) {
      const stores = (await openSome(context)).slice(0, 4)
      await context.store.put('counter', Uint8Array.of(0))
      let attempts = 0
      await Promise.all(
        stores.map(async (store) => {
          for (let done = 0; done < 5; ) {
            expectTrue(++attempts < 2000, 'too many refused updates')
            const { etag } = await store.head('counter')
            const value = await getBytes(store, 'counter')
            try {
              await store.put('counter', Uint8Array.of(value[0]! + 1), {
                precondition: { kind: 'match', etag },
              })
              done += 1
            } catch (error) {
              if (!isStorageError(error, 'precondition-failed')) throw error
            }
          }
        }),
      )
      expectEqual((await getBytes(context.store, 'counter'))[0], 20, 'counter')
    },
  },
  {
    name: 'S34: a store without conditional puts refuses preconditions',
    unless: 'conditionalPut',
    async run({ store }) {
      const { etag } = await store.put('a', someBytes(10))
      const absent = { precondition: { kind: 'absent' } } as const
      const match = { precondition: { kind: 'match', etag } } as const
      await expectCode(store.put('b', someBytes(1), absent), 'unsupported', 'absent')
      await expectCode(store.put('a', someBytes(1), match), 'unsupported', 'match')
      expectList(await keysOf(store.list()), ['a'], 'keys')
      expectBytes(await getBytes(store, 'a'), someBytes(10), 'object')
    },
  },
]
