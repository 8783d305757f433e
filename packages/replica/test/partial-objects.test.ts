import { type BlobStore, getBytes, MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import {
  assumeSoleWriter,
  compact,
  filesOf,
  planRestore,
  Replica,
  restorableTXIDs,
  restore,
  verify,
} from '../src/index.ts'
import { collect } from './collect.ts'
import { MemorySink } from './memory-sink.ts'
import { smallHistory, timeOf, upload } from './model.ts'

const LEASE = assumeSoleWriter('test')
const OPTIONS = {
  policy: { levels: { every: [2_000, 4_000] }, snapshots: 'never' },
  now: () => timeOf(100),
} as const

/** Shows one object as a prefix, as if that were all of it, so often. */
function partly(inner: BlobStore, key: string, { size, times }: { size: number; times: number }) {
  let left = times
  const store: BlobStore = {
    driver: inner.driver,
    capabilities: inner.capabilities,
    list: inner.list.bind(inner),
    head: inner.head.bind(inner),
    get: async (name, options) => {
      const isWhole = name !== key || options?.range !== undefined || left-- <= 0
      if (isWhole) return await inner.get(name, options)
      const bytes = (await getBytes(inner, name)).subarray(0, size)
      const short = new MemoryStore()
      await short.put(name, bytes)
      return await short.get(name)
    },
    put: inner.put.bind(inner),
    delete: inner.delete.bind(inner),
    [Symbol.asyncDispose]: async () => {},
  }
  return store
}

test('T28, C4: an object of which only a part is to be seen gets into no merge, and the next try goes on', async () => {
  for (const fraction of [0, 1, 4, 8, 12, 15]) {
    const inner = new MemoryStore()
    const model = smallHistory()
    await upload(model, inner)
    const files = filesOf(await new Replica(inner).catalog())
    for (const file of files.slice(1, 3)) {
      const size = Math.floor((file.size * fraction) / 16)
      const replica = new Replica(partly(inner, file.key, { size, times: 2 }))
      const merge = compact(replica, replica.writer(LEASE), await replica.catalog(), OPTIONS)
      // Also asked a second time, which says which one it is.
      const outcome = await merge.catch((error: unknown) => error)
      expect(outcome, `${file.key} ${size}`).toBeInstanceOf(Error)
      const findings = await collect(verify(new Replica(inner), { depth: 'bytes' }))
      expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
    }
    const whole = new Replica(inner)
    const { catalog } = await compact(whole, whole.writer(LEASE), await whole.catalog(), OPTIONS)
    expect(catalog.levels.get(1)?.length).toBeGreaterThan(1)
    expect(restorableTXIDs(catalog)).toEqual([1n, 2n, 3n, 4n, 5n])
    expect(await collect(verify(whole, { depth: 'bytes' }))).toEqual([])
  }
})

test('T28: a restore asks again for an object of which only a part is to be seen', async () => {
  for (const fraction of [0, 1, 8, 15]) {
    const inner = new MemoryStore()
    const model = smallHistory()
    await upload(model, inner)
    const files = filesOf(await new Replica(inner).catalog())
    for (const file of files) {
      const size = Math.floor((file.size * fraction) / 16)
      const replica = new Replica(partly(inner, file.key, { size, times: 2 }))
      const sink = new MemorySink()
      await restore(replica, planRestore(await replica.catalog(), { kind: 'latest' }), sink)
      expect(Buffer.compare(sink.image, model.image(5))).toBe(0)
    }
  }
})
