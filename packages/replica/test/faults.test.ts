import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type BlobStore, isStorageError, MemoryStore, StorageError } from '@sqlstream/storage'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { isReplicaError, planRestore, Replica, restore } from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'
import { collect } from './collect.ts'
import { smallHistory, upload } from './model.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlstream-faults-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** Restores the newest state into an empty folder; whatever happens, nothing but a complete target may be there. */
async function restoreToFile(store: BlobStore): Promise<unknown> {
  const target = mkdtempSync(join(folder, 'target-'))
  const path = join(target, 'app.db')
  const replica = new Replica(store)
  const outcome = await replica
    .catalog()
    .then((catalog) => restore(replica, planRestore(catalog, { kind: 'latest' }), fileSink(path)))
    .catch((error: unknown) => error)
  if (outcome instanceof Error) expect(readdirSync(target)).toEqual([])
  else expect(readdirSync(target)).toEqual(['app.db'])
  return outcome
}

async function objects(store: BlobStore): Promise<Map<string, Uint8Array>> {
  const all = new Map<string, Uint8Array>()
  for await (const { key } of store.list()) {
    const { body } = await store.get(key)
    all.set(key, Buffer.concat(await collect(body)))
  }
  return all
}

async function storeOf(all: ReadonlyMap<string, Uint8Array>): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const [key, bytes] of all) await store.put(key, bytes)
  return store
}

/** A store whose n-th call (list or get) fails. */
function failAt(inner: BlobStore, n: number, error: Error): BlobStore & { calls: number } {
  const store = {
    calls: 0,
    driver: inner.driver,
    capabilities: inner.capabilities,
    async *list(options?: Parameters<BlobStore['list']>[0]) {
      if (++store.calls === n) throw error
      yield* inner.list(options)
    },
    head: inner.head.bind(inner),
    get: async (...args: Parameters<BlobStore['get']>) => {
      if (++store.calls === n) throw error
      return await inner.get(...args)
    },
    put: inner.put.bind(inner),
    delete: inner.delete.bind(inner),
    [Symbol.asyncDispose]: () => Promise.resolve(),
  }
  return store
}

describe('a call that fails', () => {
  test.each(['permission-denied', 'unavailable', 'unknown'] as const)(
    'with %s at each position ends the restore with that error and no target',
    async (code) => {
      const inner = new MemoryStore()
      await upload(smallHistory(), inner)
      const error = new StorageError('no', { code, driver: 'memory', operation: 'get' })
      let failed = 0
      for (let n = 1; ; n++) {
        const store = failAt(inner, n, error)
        const outcome = await restoreToFile(store)
        if (!(outcome instanceof Error)) break
        expect(outcome).toBe(error)
        failed++
      }
      expect(failed).toBe(6)
    },
  )

  test('R7: with not-found, a file of the plan was removed meanwhile: another look finds what leads to the state now', async () => {
    const inner = new MemoryStore()
    await upload(smallHistory(), inner)
    const error = new StorageError('no', { code: 'not-found', driver: 'memory', operation: 'get' })
    const outcomes: unknown[] = []
    for (let n = 1; n <= 6; n++) outcomes.push(await restoreToFile(failAt(inner, n, error)))
    const [listing, ...files] = outcomes
    expect(listing).toBe(error)
    for (const outcome of files) expect(outcome).toMatchObject({ pos: { txid: 5n }, proven: true })
  })

  test('R7: a file that is listed and never found ends the restore', async () => {
    const inner = new MemoryStore()
    await upload(smallHistory(), inner)
    const error = new StorageError('no', { code: 'not-found', driver: 'memory', operation: 'get' })
    const get = (...[key, options]: Parameters<BlobStore['get']>) =>
      key.includes('0003') ? Promise.reject(error) : inner.get(key, options)
    expect(await restoreToFile(Object.assign(failAt(inner, 0, error), { get }))).toBe(error)
  })
})

describe('T29: cut bodies', () => {
  test('that say their length wrongly or break off are read on by range', async () => {
    const inner = new MemoryStore()
    const model = smallHistory()
    await upload(model, inner)
    for (let sixteenth = 0; sixteenth < 16; sixteenth++) {
      const isCut = new Set<string>()
      const store: BlobStore = Object.assign(failAt(inner, 0, new Error()), {
        get: async (...[key, options]: Parameters<BlobStore['get']>) => {
          const content = await inner.get(key, options)
          if (isCut.has(key)) return content
          isCut.add(key)
          const most = Math.floor((content.info.size * sixteenth) / 16)
          return { info: content.info, body: firstBytes(content.body, most) }
        },
      })
      const result = await restoreToFile(store)
      expect(result).toMatchObject({ pos: { postApplyChecksum: model.states[5]?.checksum }, proven: true })
      expect(isCut.size).toBe(5)
    }
  })

  test('at the same byte for ever are an error, never a short database', async () => {
    const inner = new MemoryStore()
    await upload(smallHistory(), inner)
    const [first] = await objects(inner)
    const [key, bytes] = first!
    for (let sixteenth = 0; sixteenth < 16; sixteenth++) {
      const most = Math.floor((bytes.byteLength * sixteenth) / 16)
      const store: BlobStore = Object.assign(failAt(inner, 0, new Error()), {
        get: async (...[name, options]: Parameters<BlobStore['get']>) => {
          const content = await inner.get(name, options)
          const start = options?.range?.offset ?? 0
          return name === key ? { info: content.info, body: firstBytes(content.body, most - start) } : content
        },
      })
      const outcome = await restoreToFile(store)
      expect(isStorageError(outcome) || isReplicaError(outcome, 'corrupt')).toBe(true)
    }
  })

  test('P6: objects that are stored short are corrupt, wherever the cut is', async () => {
    const inner = new MemoryStore()
    await upload(smallHistory(), inner)
    const all = await objects(inner)
    const sizes = new Set<number>()
    for (const [key, bytes] of all) {
      const cuts = Array.from({ length: 16 }, (_, i) => Math.floor((bytes.byteLength * i) / 16))
      // Inside the trailer, inside the index, right behind the header, inside it, and one byte.
      for (const most of [...cuts, bytes.byteLength - 1, bytes.byteLength - 17, 116, 106, 100, 99, 1]) {
        const outcome = await restoreToFile(await storeOf(new Map([...all, [key, bytes.subarray(0, most)]])))
        expect(isReplicaError(outcome, 'corrupt'), `${key} cut at ${most}: ${outcome}`).toBe(true)
        sizes.add(most)
      }
    }
    expect(sizes.size).toBeGreaterThan(20)
  })

  test('an error page instead of an object, or something behind its end, is corrupt', async () => {
    const inner = new MemoryStore()
    await upload(smallHistory(), inner)
    const all = await objects(inner)
    const page = new TextEncoder().encode(`<?xml version="1.0"?><Error>${'x'.repeat(2000)}</Error>`)
    for (const [key, bytes] of all) {
      for (const body of [page, Buffer.concat([bytes, new Uint8Array(1)]), Buffer.concat([bytes, bytes])]) {
        const outcome = await restoreToFile(await storeOf(new Map([...all, [key, body]])))
        expect(isReplicaError(outcome, 'corrupt'), `${outcome}`).toBe(true)
      }
    }
  })
})

test('R2: any byte of any file that is flipped ends as an error, never as a target', async () => {
  const inner = new MemoryStore()
  await upload(smallHistory(), inner)
  const all = await objects(inner)
  let flips = 0
  for (const [key, bytes] of all) {
    // Every byte of the header, the page frames' beginnings and the end; every 7th between.
    for (let at = 0; at < bytes.byteLength; at += at < 130 || at > bytes.byteLength - 60 ? 1 : 7) {
      const damaged = bytes.slice()
      damaged[at]! ^= 1 << (at % 8)
      const store = await storeOf(new Map([...all, [key, damaged]]))
      const outcome = await restoreInMemory(store)
      expect(isReplicaError(outcome, 'corrupt'), `${key} flipped at ${at}: ${outcome}`).toBe(true)
      flips++
    }
  }
  expect(flips).toBeGreaterThan(1500)
})

/** As `restoreToFile`, without a file system: for many small tries. */
async function restoreInMemory(store: BlobStore): Promise<unknown> {
  const replica = new Replica(store)
  let committed = false
  const nothing = (): Promise<void> => Promise.resolve()
  const sink = { begin: nothing, write: nothing, truncate: nothing, abort: nothing }
  const commit = async (): Promise<void> => {
    committed = true
  }
  try {
    const plan = planRestore(await replica.catalog(), { kind: 'latest' })
    return await restore(replica, plan, { ...sink, commit })
  } catch (error) {
    expect(committed).toBe(false)
    return error
  }
}

test.each([
  { proof: true, calls: 3 },
  { proof: false, calls: 8 },
])(
  'a sink that fails at each of its calls is aborted, and its error is the outcome ($calls)',
  async ({ proof, calls: most }) => {
    const replica = await upload(smallHistory(), new MemoryStore(), { proof })
    const plan = planRestore(await replica.catalog(), { kind: 'latest' })
    const error = new Error('disk')
    let tries = 0
    for (let n = 1; ; n++) {
      let calls = 0
      let aborted = 0
      const call = async (): Promise<void> => {
        if (++calls === n) throw error
      }
      const sink = {
        begin: call,
        write: call,
        truncate: call,
        commit: call,
        abort: async () => void aborted++,
      }
      const outcome = await restore(replica, plan, sink).catch((thrown: unknown) => thrown)
      if (outcome !== error) break
      expect(aborted).toBe(1)
      tries++
    }
    expect(tries).toBe(most)
  },
)

async function* firstBytes(body: AsyncIterable<Uint8Array>, most: number): AsyncGenerator<Uint8Array> {
  let left = most
  for await (const chunk of body) {
    if (left <= 0) return
    yield chunk.subarray(0, left)
    left -= chunk.byteLength
  }
}
