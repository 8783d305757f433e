import { type BlobStore, type BlobStream, discardBody, type GetOptions, getBytes } from '@sqlstream/storage'
import { someBytes } from '../bytes.ts'
import type { Case } from '../case.ts'
import { expectBytes, expectEqual, expectTrue, reasonOf, within } from '../expect.ts'

const BIG = 1 << 20
/** Around what was counted nothing may be changed; this many bytes are looked at. */
const MARGIN = 16
const UNTOUCHED = 0xee

type ReadInto = NonNullable<BlobStream['readInto']>

/** Opens a body; undefined when the store's bodies cannot be read into memory, as they may. */
async function open(
  store: BlobStore,
  options?: GetOptions,
): Promise<{ readonly body: BlobStream; readonly readInto: ReadInto } | undefined> {
  const { body } = await store.get('a', options)
  if (body.readInto === undefined) {
    await discardBody(body)
    return undefined
  }
  return { body, readInto: (target) => body.readInto!(target) }
}

/** One call, judged. Returns the bytes that it brought. */
async function readSome(readInto: ReadInto, room: number): Promise<Uint8Array> {
  const memory = new Uint8Array(room + 2 * MARGIN).fill(UNTOUCHED)
  const size = await readInto(memory.subarray(MARGIN, MARGIN + room))
  expectTrue(Number.isInteger(size) && size >= 0 && size <= room, `readInto brought ${size} for ${room}`)
  const end = MARGIN + size
  for (const outside of [
    memory.subarray(0, MARGIN),
    memory.subarray(end, end + MARGIN),
    memory.subarray(-MARGIN),
  ]) {
    expectTrue(
      outside.every((byte) => byte === UNTOUCHED),
      'readInto wrote outside of the bytes that it counted',
    )
  }
  return memory.slice(MARGIN, end)
}

export const readIntoCases: readonly Case[] = [
  {
    name: 'S42 S14: readInto brings the bytes of the iterator, for any room and range',
    async run({ store }) {
      const bytes = someBytes(BIG)
      await store.put('a', bytes)
      for (const [room, offset, length] of [
        [BIG, 0, BIG],
        [BIG * 2, 0, BIG],
        [65_537, 0, BIG],
        [1000, 7, 300_000],
        [1, BIG - 5, 5],
      ] as const) {
        const opened = await open(store, { range: { offset, length } })
        if (opened === undefined) return
        let at = offset
        for (;;) {
          const part = await readSome(opened.readInto, room)
          if (part.length === 0) break
          expectBytes(part, bytes.subarray(at, at + part.length), `bytes at ${at}`)
          at += part.length
        }
        expectEqual(at, offset + length, 'where it ended')
        expectEqual((await readSome(opened.readInto, room)).length, 0, 'bytes after the end')
      }
    },
  },
  {
    name: 'S42: readInto of an empty object is at its end, and without room it rejects',
    async run({ store }) {
      await store.put('a', new Uint8Array(0))
      const empty = await open(store)
      if (empty === undefined) return
      expectEqual((await readSome(empty.readInto, 10)).length, 0, 'bytes of an empty object')
      await store.put('a', someBytes(10))
      const full = await open(store)
      if (full === undefined) throw new Error('one body has readInto and another has not')
      const reason = await reasonOf(full.readInto(new Uint8Array(0)), 'readInto without room')
      expectTrue(reason instanceof RangeError, `readInto without room: rejected with ${reason}`)
      expectBytes(await readSome(full.readInto, 10), someBytes(10), 'bytes after the refusal')
      await discardBody(full.body)
    },
  },
  {
    name: 'S42: a reader may change between readInto and the iterator',
    async run({ store }) {
      const bytes = someBytes(BIG)
      await store.put('a', bytes)
      const opened = await open(store)
      if (opened === undefined) return
      const chunks = opened.body[Symbol.asyncIterator]()
      let at = 0
      for (let turn = 0; ; turn++) {
        let part: Uint8Array
        if (turn % 2 === 0) {
          part = await readSome(opened.readInto, 1 + turn * 1000)
        } else {
          const step = await chunks.next()
          part = step.done === true ? new Uint8Array(0) : step.value
          if (part.length === 0 && step.done !== true) continue
        }
        if (part.length === 0) break
        expectBytes(part, bytes.subarray(at, at + part.length), `turn ${turn}`)
        at += part.length
      }
      expectEqual(at, BIG, 'bytes in all')
      expectEqual((await chunks.next()).done, true, 'the iterator after the end')
      expectEqual((await readSome(opened.readInto, 10)).length, 0, 'readInto after the end')
    },
  },
  {
    name: 'S42 S18: a body that readInto has begun can be left, and is over then',
    async run({ store }) {
      const bytes = someBytes(BIG)
      await store.put('a', bytes)
      for (let i = 0; i < 80; i++) {
        const opened = await open(store)
        if (opened === undefined) return
        await readSome(opened.readInto, 100)
        await discardBody(opened.body)
        if (i === 0) expectEqual((await readSome(opened.readInto, 100)).length, 0, 'bytes after leaving')
      }
      expectBytes(await getBytes(store, 'a'), bytes, 'bytes at last')
    },
  },
  {
    name: 'S42 S20: what readInto brings is of one version',
    async run({ store }) {
      const versions = [someBytes(BIG, 1), someBytes(BIG, 2)]
      for (const next of ['replaced', 'deleted']) {
        await store.put('a', versions[0]!)
        const opened = await open(store)
        if (opened === undefined) return
        let at = 0
        let part: Uint8Array | undefined
        do {
          // It may fail rather than go on.
          part = await readSome(opened.readInto, 65_536).catch(() => undefined)
          if (part === undefined) break
          expectBytes(part, versions[0]!.subarray(at, at + part.length), `bytes at ${at}, object ${next}`)
          if (at === 0) await (next === 'replaced' ? store.put('a', versions[1]!) : store.delete(['a']))
          at += part.length
        } while (part.length > 0)
        if (part === undefined) continue
        expectEqual(at, BIG, `bytes read, object ${next}`)
      }
    },
  },
  {
    name: 'S42 S38: an abort ends readInto',
    async run({ store, abortPatienceMs }) {
      const reason = new Error('enough')
      await store.put('a', someBytes(BIG))
      const aborter = new AbortController()
      const opened = await open(store, { signal: aborter.signal })
      if (opened === undefined) return
      let bytes = 0
      const reading = (async () => {
        for (;;) {
          const { length } = await readSome(opened.readInto, 65_536)
          if (length === 0) return
          bytes += length
          aborter.abort(reason)
        }
      })()
      expectEqual(await within(abortPatienceMs, reasonOf(reading, 'body'), 'body'), reason, 'reason')
      expectTrue(bytes < BIG, 'the whole body came after the abort')
    },
  },
]
