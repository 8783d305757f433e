import { mergeFiles } from '@sqlstream/ltx'
import { type BlobStore, getBytes, MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { assumeSoleWriter, type LTXFile, Replica, runMerge } from '../src/index.ts'
import { collect } from './collect.ts'
import { encodeFile, put } from './model.ts'

const LEASE = assumeSoleWriter('test')
const PAGE_SIZE = 4096

/** Bytes that do not shrink. */
function noise(seed: number): Uint8Array {
  let state = seed * 2654435761 + 1
  return Uint8Array.from({ length: PAGE_SIZE }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

/** Files of so many pages each, from transaction 2 on, in level 0. */
async function filesOf(store: BlobStore, pages: readonly number[]): Promise<readonly LTXFile[]> {
  const replica = new Replica(store)
  for (const [i, count] of pages.entries()) {
    const changed = new Map(
      Array.from({ length: count }, (_, n) => [1 + ((i + 7 * n) % 100), noise(i * 100 + n)]),
    )
    const file = { min: i + 2, max: i + 2, pageSize: PAGE_SIZE, commit: 100, pages: changed } as const
    await put(replica, 0, i + 2, i + 2, encodeFile(file))
  }
  return (await replica.catalog()).levels.get(0)!
}

/** A store that asks before each get of a whole object. */
function asking(inner: BlobStore, before: (key: string) => Promise<void>): BlobStore {
  return {
    driver: inner.driver,
    capabilities: inner.capabilities,
    list: inner.list.bind(inner),
    head: inner.head.bind(inner),
    put: inner.put.bind(inner),
    delete: inner.delete.bind(inner),
    get: async (key, options) => {
      if (options?.range === undefined) await before(key)
      return await inner.get(key, options)
    },
    [Symbol.asyncDispose]: async () => {},
  }
}

test('C4: small and large files in any order merge to what streams of them merge to', async () => {
  const store = new MemoryStore()
  // 90 pages of noise are more than 256 KiB.
  const inputs = await filesOf(store, [3, 1, 90, 0, 2, 90, 90, 1, 5, 90])
  expect(inputs.filter(({ size }) => size > 256 * 1024).length).toBe(4)
  const bytes = await Promise.all(inputs.map(({ key }) => getBytes(store, key)))
  async function* once(each: Uint8Array): AsyncGenerator<Uint8Array> {
    yield each
  }
  const expected = Buffer.concat(await collect(mergeFiles(bytes.map(once))))
  for (const local of [
    undefined,
    ({ key }: LTXFile) =>
      key < inputs[5]!.key ? undefined : bytes[inputs.findIndex((file) => file.key === key)],
  ]) {
    const replica = new Replica(store)
    const file = await runMerge(replica, replica.writer(LEASE), { level: 1, inputs }, { local })
    expect(Buffer.compare(await getBytes(store, file.key), expected)).toBe(0)
    await store.delete([file.key])
  }
})

test('C3: small files are fetched side by side, each once, and not more than a few at a time', async () => {
  const inner = new MemoryStore()
  const inputs = await filesOf(
    inner,
    Array.from({ length: 150 }, () => 1),
  )
  let running = 0
  let most = 0
  const asked: string[] = []
  const store = asking(inner, async (key) => {
    asked.push(key)
    most = Math.max(most, ++running)
    await new Promise(setImmediate)
    running--
  })
  const replica = new Replica(store)
  await runMerge(replica, replica.writer(LEASE), { level: 1, inputs })
  expect(asked.toSorted()).toEqual(inputs.map(({ key }) => key))
  expect(most).toBe(32)
})

test('C4: whichever fetch fails, that is the error, nothing is put, and the next try goes on', async () => {
  const inner = new MemoryStore()
  const inputs = await filesOf(inner, [1, 2, 90, 1, 1, 90, 1])
  for (const failing of inputs.keys()) {
    const broken = Object.assign(new Error('broken'), { failing })
    let asked = 0
    const store = asking(inner, async () => {
      if (asked++ === failing) throw broken
    })
    const replica = new Replica(store)
    const merge = runMerge(replica, replica.writer(LEASE), { level: 1, inputs })
    await expect(merge).rejects.toBe(broken)
    expect((await new Replica(inner).catalog()).levels.has(1)).toBe(false)
  }
  const replica = new Replica(inner)
  await runMerge(replica, replica.writer(LEASE), { level: 1, inputs })
})

test('C4: merges beside and after each other, of which some fail, do not meet in the memory that they use', async () => {
  const inner = new MemoryStore()
  const inputs = await filesOf(inner, [1, 2, 40, 1, 60, 90, 1, 30, 90, 2])
  let failing = false
  const store = asking(inner, async (key) => {
    await new Promise(setImmediate)
    if (failing && key === inputs[7]!.key) throw new Error('broken')
  })
  const replica = new Replica(store)
  async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
    yield bytes
  }
  const ranges = [inputs, inputs.slice(2), inputs.slice(0, 7), inputs.slice(3, 9)]
  const expected = await Promise.all(
    ranges.map(async (range) => {
      const bytes = await Promise.all(range.map(({ key }) => getBytes(inner, key)))
      return Buffer.concat(await collect(mergeFiles(bytes.map(once))))
    }),
  )
  for (let round = 0; round < 6; round++) {
    failing = round % 2 === 1
    const ends = await Promise.allSettled(
      ranges.map((range, i) => runMerge(replica, replica.writer(LEASE), { level: i + 1, inputs: range })),
    )
    for (const [i, end] of ends.entries()) {
      const fails = failing && ranges[i]!.includes(inputs[7]!)
      expect(end.status, `merge ${i} of round ${round}`).toBe(fails ? 'rejected' : 'fulfilled')
      if (end.status === 'rejected') continue
      expect(Buffer.compare(await getBytes(inner, end.value.key), expected[i]!)).toBe(0)
      await inner.delete([end.value.key])
    }
  }
})

test('C4: an abort ends a merge whose fetches hang', async () => {
  const inner = new MemoryStore()
  const inputs = await filesOf(inner, [1, 2, 1])
  const controller = new AbortController()
  const reason = new Error('enough')
  const store = asking(inner, async (key) => {
    if (key === inputs[1]!.key) {
      controller.abort(reason)
      await new Promise(() => {})
    }
  })
  const replica = new Replica(store)
  const { signal } = controller
  await expect(runMerge(replica, replica.writer(LEASE), { level: 1, inputs }, { signal })).rejects.toBe(
    reason,
  )
  expect((await new Replica(inner).catalog()).levels.has(1)).toBe(false)
})
