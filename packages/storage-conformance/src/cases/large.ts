import { type BlobStore, type ByteRange, discardBody, getBytes, isStorageError } from '@sqlstream/storage'
import { someBytes, type WatchedBody, watchedBody } from '../bytes.ts'
import { type Case, entriesOf, keysOf } from '../case.ts'
import { expectBytes, expectCode, expectEqual, expectList, reasonOf, within } from '../expect.ts'
import { expectOvertaken } from '../overtaken.ts'

/** A length that fits no part of any service. */
const CHUNK = 999_983

function cut(bytes: Uint8Array): Uint8Array[] {
  const chunks: Uint8Array[] = []
  for (let at = 0; at < bytes.length; at += CHUNK) chunks.push(bytes.subarray(at, at + CHUNK))
  return chunks
}

async function expectUntouched(store: BlobStore, old: Uint8Array, what: string): Promise<void> {
  expectList(await keysOf(store.list()), ['old'], `keys after ${what}`)
  expectBytes(await getBytes(store, 'old'), old, `older object after ${what}`)
}

export const largeCases: readonly Case[] = [
  {
    name: 'S43 S14 S15: a large body of known and of unknown size is stored, described and read in ranges',
    async run({ store, largeBytes }) {
      const bytes = someBytes(largeBytes)
      for (const known of [{ size: largeBytes }, {}]) {
        const put = await store.put('a', watchedBody({ parts: cut(bytes), ...known }))
        expectEqual(put.size, largeBytes, 'size by put')
        const head = await store.head('a')
        const [listed] = await entriesOf(store.list())
        const { info, body } = await store.get('a')
        await discardBody(body)
        for (const [call, other] of Object.entries({ head, list: listed!, get: info })) {
          expectEqual(other.size, largeBytes, `size by ${call}`)
          expectEqual(other.etag, put.etag, `etag by ${call}`)
        }
        expectBytes(await getBytes(store, 'a'), bytes, 'bytes')
        const ranges: ByteRange[] = [
          { suffix: 1 },
          { suffix: largeBytes >> 1 },
          { offset: (largeBytes >> 1) - 5, length: 10 },
          { offset: largeBytes - 10, length: 1 << 30 },
        ]
        for (const range of ranges) {
          const start = range.suffix === undefined ? range.offset : largeBytes - range.suffix
          const expected = bytes.subarray(
            start,
            range.length === undefined ? undefined : start + range.length,
          )
          expectBytes(await getBytes(store, 'a', { range }), expected, `range ${JSON.stringify(range)}`)
        }
      }
      await store.put('a', someBytes(10))
      expectBytes(await getBytes(store, 'a'), someBytes(10), 'small object in place of the large one')
    },
  },
  {
    name: 'S43 S22 S24 S26: a large body that fails, or is not as long as its size, leaves nothing',
    async run({ store, largeBytes }) {
      const old = someBytes(100)
      await store.put('old', old)
      const failure = new Error('the body broke')
      const parts = cut(someBytes(largeBytes))
      const bodies: Record<string, () => WatchedBody> = {
        'a failure at the end': () => watchedBody({ parts: [...parts, () => Promise.reject(failure)] }),
        'a failure before the end of a known size': () =>
          watchedBody({ parts: [...parts, () => Promise.reject(failure)], size: largeBytes + 1 }),
        'one byte too few': () => watchedBody({ parts, size: largeBytes + 1 }),
        'one byte too many': () => watchedBody({ parts, size: largeBytes - 1 }),
      }
      for (const [what, makeBody] of Object.entries(bodies)) {
        for (const key of ['new', 'old']) {
          const body = makeBody()
          await reasonOf(store.put(key, body), what)
          expectEqual(body.released, body.opened, `readings released after ${what}`)
        }
        await expectUntouched(store, old, what)
      }
    },
  },
  {
    name: 'S43 S38 S26: an abort after several parts leaves nothing',
    async run({ store, largeBytes, abortPatienceMs }) {
      const old = someBytes(100)
      await store.put('old', old)
      for (const key of ['new', 'old']) {
        const aborter = new AbortController()
        const reason = new Error('enough')
        const reached = Promise.withResolvers<void>()
        async function hang(): Promise<void> {
          aborter.abort(reason)
          reached.resolve()
          await new Promise<void>(() => {})
        }
        const body = watchedBody({ parts: [...cut(someBytes(largeBytes)), hang] })
        const put = reasonOf(store.put(key, body, { signal: aborter.signal }), 'put')
        await Promise.race([reached.promise, put])
        expectEqual(await within(abortPatienceMs, put, 'put'), reason, 'reason')
        expectEqual(body.released, body.opened, 'readings released')
        await expectUntouched(store, old, 'an abort')
      }
      await within(abortPatienceMs, store.put('new', someBytes(1)), 'a small put after an abort')
    },
  },
  {
    name: 'S44: a precondition holds for a large body',
    requires: 'conditionalPut',
    async run({ store, largeBytes }) {
      const bytes = someBytes(largeBytes)
      const absent = { precondition: { kind: 'absent' } } as const
      for (const known of [{ size: largeBytes }, {}]) {
        const makeBody = (): WatchedBody => watchedBody({ parts: cut(bytes), ...known })
        const created = await store.put('a', makeBody(), absent).catch((error: unknown) => error)
        if (known.size === undefined && isStorageError(created, 'unsupported')) {
          expectList(await keysOf(store.list()), [], 'keys after a put that is not supported')
          continue
        }
        if (created instanceof Error) throw created
        await expectCode(store.put('a', makeBody(), absent), 'precondition-failed', 'absent on an object')
        const { etag } = await store.head('a')
        const match = { precondition: { kind: 'match', etag } } as const
        await expectCode(store.put('b', makeBody(), match), 'precondition-failed', 'match on nothing')
        const { etag: second } = await store.put('a', someBytes(10), match)
        await expectCode(store.put('a', makeBody(), match), 'precondition-failed', 'match on an old version')
        expectBytes(await getBytes(store, 'a'), someBytes(10), 'object after large puts that were refused')
        await store.put('a', makeBody(), { precondition: { kind: 'match', etag: second } })
        expectBytes(await getBytes(store, 'a'), bytes, 'large object in place of the version that it named')
        expectList(await keysOf(store.list()), ['a'], 'keys')
        await store.delete(['a'])
      }
    },
  },
  {
    name: 'S44: a large body under way does not replace what another writer put meanwhile',
    requires: 'conditionalPut',
    async run({ store, open, largeBytes }) {
      await expectOvertaken(store, await open(), largeBytes)
    },
  },
  {
    name: 'S44: of large puts with the same precondition at once exactly one wins',
    requires: 'conditionalPut',
    async run({ store, open, largeBytes }) {
      const stores = await Promise.all([open(), open(), open()])
      const bodies = stores.map((_, i) => someBytes(largeBytes, i + 1))
      const { etag } = await store.put('old', someBytes(10))
      for (const [key, precondition] of [
        ['new', { kind: 'absent' }],
        ['old', { kind: 'match', etag }],
      ] as const) {
        const outcomes = await Promise.allSettled(
          stores.map((each, i) => each.put(key, bodies[i]!, { precondition })),
        )
        const winners = bodies.filter((_, i) => outcomes[i]!.status === 'fulfilled')
        expectEqual(winners.length, 1, `winners with '${precondition.kind}'`)
        for (const outcome of outcomes) {
          if (outcome.status === 'rejected')
            await expectCode(Promise.reject(outcome.reason), 'precondition-failed', 'a loser')
        }
        const stored = await getBytes(store, key)
        expectBytes(stored, winners[0]!, 'the winner')
      }
    },
  },
]
