import { type BlobStore, discardBody, getBytes } from '@sqlstream/storage'
import { someBytes, watchedBody } from '../bytes.ts'
import { type Case, keysOf, putAll } from '../case.ts'
import { expectBytes, expectEqual, expectList, expectTrue, reasonOf, within } from '../expect.ts'

const reason = new Error('enough')

/** Every call once, on objects that exist. */
function calls(store: BlobStore, signal: AbortSignal): [name: string, call: () => Promise<unknown>][] {
  return [
    ['list', () => keysOf(store.list({ signal }))],
    ['head', () => store.head('a', { signal })],
    ['get', () => store.get('a', { signal }).then(({ body }) => discardBody(body))],
    ['put', () => store.put('b', someBytes(100_000), { signal })],
    ['delete', () => store.delete(['c'], { signal })],
  ]
}

export const cancelCases: readonly Case[] = [
  {
    name: 'S37: a call whose signal has aborted rejects with its reason and does nothing',
    async run({ store, abortPatienceMs }) {
      await putAll(store, ['a', 'c'])
      for (const [name, call] of calls(store, AbortSignal.abort(reason))) {
        expectEqual(await within(abortPatienceMs, reasonOf(call(), name), name), reason, `reason of ${name}`)
      }
      expectList(await keysOf(store.list()), ['a', 'c'], 'keys')
    },
  },
  {
    name: 'S38: an abort ends each running call, or comes too late',
    async run({ store, abortPatienceMs }) {
      for (const turns of [0, 1, 3, 10, 30]) {
        await putAll(store, ['a', 'c'])
        for (let i = 0; i < 5; i++) {
          const aborter = new AbortController()
          const [name, call] = calls(store, aborter.signal)[i]!
          const outcome = call().then(
            () => reason,
            (error: unknown) => error,
          )
          for (let turn = 0; turn < turns; turn++) await Promise.resolve()
          aborter.abort(reason)
          expectEqual(await within(abortPatienceMs, outcome, name), reason, `reason of ${name}`)
        }
        const b = await getBytes(store, 'b').catch(() => undefined)
        if (b !== undefined) expectBytes(b, someBytes(100_000), 'object after an aborted put')
      }
    },
  },
  {
    name: 'S38: an abort ends a listing between two entries',
    async run({ store, abortPatienceMs }) {
      await putAll(store, ['a', 'b', 'c', 'd'])
      const aborter = new AbortController()
      const seen: string[] = []
      const listing = (async () => {
        for await (const { key } of store.list({ signal: aborter.signal })) {
          seen.push(key)
          aborter.abort(reason)
        }
      })()
      expectEqual(await within(abortPatienceMs, reasonOf(listing, 'list'), 'list'), reason, 'reason')
      expectList(seen, ['a'], 'keys seen')
    },
  },
  {
    name: 'S38: an abort ends a body that is being read',
    async run({ store, abortPatienceMs }) {
      await store.put('a', someBytes(8 << 20))
      const aborter = new AbortController()
      const { body } = await store.get('a', { signal: aborter.signal })
      let bytes = 0
      const reading = (async () => {
        for await (const chunk of body) {
          bytes += chunk.length
          aborter.abort(reason)
        }
      })()
      expectEqual(await within(abortPatienceMs, reasonOf(reading, 'body'), 'body'), reason, 'reason')
      expectTrue(bytes < 8 << 20, 'the whole body came after the abort')
      expectEqual((await getBytes(store, 'a')).length, 8 << 20, 'bytes of the next reading')
    },
  },
  {
    name: 'S38 S26: an abort ends a put whose body hangs, and nothing is visible',
    async run({ store, abortPatienceMs }) {
      for (const size of [undefined, 400_000]) {
        const aborter = new AbortController()
        const hang = (): Promise<void> => {
          setTimeout(() => aborter.abort(reason), 10)
          return new Promise<void>(() => {})
        }
        const body = watchedBody({
          parts: [someBytes(200_000), hang],
          ...(size === undefined ? {} : { size }),
        })
        const put = store.put('a', body, { signal: aborter.signal })
        expectEqual(await within(abortPatienceMs, reasonOf(put, 'put'), 'put'), reason, 'reason')
        expectList(await keysOf(store.list()), [], 'keys')
        expectEqual(body.released, body.opened, 'readings released')
      }
    },
  },
]
