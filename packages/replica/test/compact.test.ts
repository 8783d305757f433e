import { type PageSize, toTXID } from '@sqlstream/ltx'
import { type BlobStore, MemoryStore, type StorageError } from '@sqlstream/storage'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import {
  assumeSoleWriter,
  type Catalog,
  compact,
  createCatalog,
  filesOf,
  isReplicaError,
  type Merged,
  makeSnapshot,
  planRestore,
  planSnapshot,
  Replica,
  restorableTXIDs,
  restore,
  runMerge,
  surveyCompaction,
  verify,
  withFiles,
} from '../src/index.ts'
import { collect } from './collect.ts'
import { countRequests } from './counting-store.ts'
import { dyingStore, isDeath } from './dying-store.ts'
import { MemorySink } from './memory-sink.ts'
import { Model, pageOf, put, timeOf } from './model.ts'

const LEASE = assumeSoleWriter('test')
/** One transaction a second: 3 to a file of level 1, 12 to one of level 2. */
const LEVELS = { every: [3000, 12_000] }

/** A first image in level 9 and a capture each second. */
async function history(steps: number, store: BlobStore, pageSize: PageSize = 512) {
  const model = new Model(pageSize)
  const replica = new Replica(store)
  model.commit(30, new Map(Array.from({ length: 30 }, (_, i) => [i + 1, pageOf(pageSize, i)])))
  await put(replica, 9, 1, 1, model.file(1, 1))
  for (let txid = 2; txid <= steps; txid++) {
    const commit = 20 + ((txid * 7) % 15)
    model.commit(
      commit,
      new Map([1, 2].map((n) => [((txid * n) % commit) + 1, pageOf(pageSize, txid * 100 + n)])),
    )
    await put(replica, 0, txid, txid, model.file(txid, txid))
  }
  return { model, replica }
}

async function imageAt(replica: Replica, catalog: Catalog, txid: bigint): Promise<Uint8Array> {
  const sink = new MemorySink()
  await restore(replica, planRestore(catalog, { kind: 'txid', txid: toTXID(txid) }), sink)
  return sink.image
}

/** As the process that made the files knows them. */
function withTimes(catalog: Catalog): Catalog {
  return createCatalog(
    filesOf(catalog).map((file) => ({ ...file, timestamp: new Date(timeOf(Number(file.maxTXID))) })),
  )
}

function without(catalog: Catalog, level: number): Catalog {
  return createCatalog([...catalog.levels].flatMap(([at, files]) => (at === level ? [] : files)))
}

test('C2: what the levels lead to is what the captures lead to', async () => {
  const { model, replica } = await history(40, new MemoryStore())
  const now = () => timeOf(40) + 1000
  const { catalog } = await compact(replica, replica.writer(LEASE), await replica.catalog(), {
    policy: { levels: LEVELS, snapshots: {} },
    now,
  })
  expect([...(await replica.catalog()).levels.keys()]).toEqual([0, 1, 2, 9])
  for (const seen of [catalog, without(catalog, 0), without(without(catalog, 0), 1)]) {
    const points = restorableTXIDs(seen)
    expect(points.length).toBeGreaterThan(2)
    for (const txid of points) {
      expect(Buffer.compare(await imageAt(replica, seen, txid), model.image(Number(txid)))).toBe(0)
    }
  }
  const findings = await collect(verify(replica, { depth: 'bytes' }))
  expect(findings.filter(({ severity }) => severity === 'error')).toEqual([])
})

test('C2: whatever the history and wherever it is stopped, nothing is lost and it goes on', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          commit: fc.integer({ min: 1, max: 40 }),
          change: fc.array(fc.nat(1000), { maxLength: 6 }),
          seconds: fc.integer({ min: -5, max: 20 }),
          base: fc.nat(11),
        }),
        { minLength: 2, maxLength: 25 },
      ),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 2, max: 5 }),
      async (steps, failing, maxInputs) => {
        const model = new Model(512)
        const inner = new MemoryStore()
        const replica = new Replica(inner)
        let time = timeOf(0)
        for (const [i, { commit, change, seconds, base }] of steps.entries()) {
          time += seconds * 1000
          model.commit(commit, new Map(change.map((n) => [(n % commit) + 1, pageOf(512, i * 1000 + n)])))
          const [level, min] = i === 0 || base === 0 ? [9, 1] : [0, i + 1]
          const range = { minTXID: toTXID(BigInt(min)), maxTXID: toTXID(BigInt(i + 1)) }
          const bytes = model.file(min, i + 1)
          await replica.writer(LEASE).put(level, range, bytes, { timestamp: new Date(time) })
        }
        const before = restorableTXIDs(await replica.catalog())
        const policy = { levels: LEVELS, maxInputs, snapshots: { growth: 2 } }
        const run = async (store: BlobStore) => {
          const each = new Replica(store)
          return await compact(each, each.writer(LEASE), await each.catalog(), {
            policy,
            now: () => time + 60_000,
          })
        }
        await run(dyingStore(inner, failing)).catch((error: unknown) => {
          if (!isDeath(error)) throw error
        })
        expect(restorableTXIDs(await replica.catalog())).toEqual(before)
        const { catalog, nextAt } = await run(inner)
        expect(nextAt === undefined || nextAt > time + 60_000).toBe(true)
        expect(restorableTXIDs(catalog)).toEqual(before)
        for (const txid of before) {
          // Over the widest files, and over captures alone where they lead there.
          expect(Buffer.compare(await imageAt(replica, catalog, txid), model.image(Number(txid)))).toBe(0)
        }
        // Done is done: another run asks for nothing, even one that begins with a listing.
        const { store, requests } = countRequests(inner)
        const again = new Replica(store)
        await compact(again, again.writer(LEASE), catalog, { policy, now: () => time + 60_000 })
        expect(requests).toEqual([])
      },
    ),
    { numRuns: 100 },
  )
})

test('C3: a merge costs one request for each input, one for the last one’s time, and one put', async () => {
  const { store, requests } = countRequests(new MemoryStore())
  const { replica } = await history(4, store)
  const catalog = await replica.catalog()
  requests.length = 0
  const inputs = catalog.levels.get(0)!
  const file = await runMerge(replica, replica.writer(LEASE), { level: 1, inputs })
  expect(requests.map(({ operation }) => operation).sort()).toEqual(['get', 'get', 'get', 'get', 'put'])
  expect(file).toMatchObject({ level: 1, minTXID: 2n, maxTXID: 4n, timestamp: new Date(timeOf(4)) })
  requests.length = 0
  // Inputs that are at hand, with times that are known, cost nothing.
  const bytes = new Map(
    await Promise.all(inputs.map(async (each) => [each.key, await bytesOf(replica, each.key)] as const)),
  )
  requests.length = 0
  await store.delete([file.key])
  requests.length = 0
  const known = inputs.map((each) => ({ ...each, timestamp: new Date(timeOf(Number(each.maxTXID))) }))
  await runMerge(
    replica,
    replica.writer(LEASE),
    { level: 1, inputs: known },
    { local: ({ key }) => bytes.get(key) },
  )
  expect(requests.map(({ operation }) => operation)).toEqual(['put'])
})

async function bytesOf(replica: Replica, key: string): Promise<Uint8Array> {
  const { body } = await replica.store.get(key)
  return Buffer.concat(await collect(body))
}

test('C4: a damaged input is named, and nothing is put', async () => {
  for (const damage of [10, 150, -20, -1]) {
    const { replica } = await history(6, new MemoryStore())
    const inputs = (await replica.catalog()).levels.get(0)!
    const bad = inputs[2]!
    const bytes = Uint8Array.from(await bytesOf(replica, bad.key))
    const at = damage < 0 ? bytes.length + damage : damage
    bytes[at] = bytes[at]! ^ 4
    await replica.store.put(bad.key, bytes)
    const outcome = await runMerge(replica, replica.writer(LEASE), { level: 1, inputs }).catch(
      (error: unknown) => error,
    )
    expect(isReplicaError(outcome, 'corrupt'), String(outcome)).toBe(true)
    expect(outcome).toMatchObject({ file: { key: bad.key } })
    expect((await replica.catalog()).levels.has(1)).toBe(false)
  }
})

test('C4: files of two histories are not merged', async () => {
  const { replica } = await history(3, new MemoryStore())
  const other = await history(5, new MemoryStore(), 512)
  other.model.states.length = 3
  other.model.commit(9, new Map([[1, pageOf(512, 99_999)]]))
  other.model.commit(9, new Map([[2, pageOf(512, 99_998)]]))
  await put(replica, 0, 4, 4, other.model.file(4, 4))
  const inputs = (await replica.catalog()).levels.get(0)!
  await expect(runMerge(replica, replica.writer(LEASE), { level: 1, inputs })).rejects.toMatchObject({
    name: 'LTXError',
    code: 'checksum-mismatch',
  })
  expect((await replica.catalog()).levels.has(1)).toBe(false)
})

test('C4: an input that vanishes, a store that fails and an abort end a merge with that error', async () => {
  const { replica } = await history(6, new MemoryStore())
  const inputs = (await replica.catalog()).levels.get(0)!
  await replica.store.delete([inputs[1]!.key])
  const gone = runMerge(replica, replica.writer(LEASE), { level: 1, inputs })
  await expect(gone).rejects.toSatisfy((error) => (error as StorageError).code === 'not-found')
  const reason = new Error('enough')
  const aborted = runMerge(
    replica,
    replica.writer(LEASE),
    { level: 1, inputs },
    { signal: AbortSignal.abort(reason) },
  )
  await expect(aborted).rejects.toBe(reason)
})

test('C2: files that a failed run of retention removed are no longer waited for', async () => {
  const { model, replica } = await history(12, new MemoryStore())
  const stale = withTimes(await replica.catalog())
  // A snapshot holds what the first captures hold, and they are gone, before their slot of level 1 was merged.
  const snapshot = await put(replica, 9, 1, 4, model.file(1, 4))
  const gone = stale.levels.get(0)!.slice(0, 3)
  await replica.store.delete(gone.map(({ key }) => key))
  const options = { policy: { levels: LEVELS, snapshots: 'never' }, now: () => timeOf(60) } as const
  const { catalog } = await compact(replica, replica.writer(LEASE), withFiles(stale, [snapshot]), options)
  const keys = (all: Catalog): string[] => filesOf(all).map(({ key }) => key)
  expect(keys(catalog)).toEqual(keys(await replica.catalog()))
  expect(keys(catalog)).not.toContain(gone[0]!.key)
  for (const txid of restorableTXIDs(without(catalog, 0))) {
    expect(Buffer.compare(await imageAt(replica, without(catalog, 0), txid), model.image(Number(txid)))).toBe(
      0,
    )
  }
  expect(restorableTXIDs(without(catalog, 0)).at(-1)).toBe(12n)
})

test('C2: a file that a listing shows and that is not there ends it with that error', async () => {
  const { replica } = await history(6, new MemoryStore())
  const stale = withTimes(await replica.catalog())
  await replica.store.delete([stale.levels.get(0)![1]!.key])
  replica.catalog = async () => stale
  const options = { policy: { levels: LEVELS }, now: () => timeOf(60) }
  await expect(compact(replica, replica.writer(LEASE), stale, options)).rejects.toMatchObject({
    code: 'not-found',
  })
})

test('C5: a snapshot is made of the newest state, and leads there alone', async () => {
  const { model, replica } = await history(20, new MemoryStore())
  const file = await runMerge(replica, replica.writer(LEASE), planSnapshot(await replica.catalog())!)
  expect(file).toMatchObject({ level: 9, minTXID: 1n, maxTXID: 20n })
  const catalog = await replica.catalog()
  const plan = planRestore(catalog, { kind: 'latest' })
  expect(plan.files.map(({ key }) => key)).toEqual([file.key])
  expect(Buffer.compare(await imageAt(replica, catalog, 20n), model.image(20))).toBe(0)
  expect(planSnapshot(catalog)).toBeUndefined()
})

test('C5: a snapshot may be made over a merge that begins before the one before it', async () => {
  const { model, replica } = await history(12, new MemoryStore())
  await put(replica, 9, 1, 5, model.file(1, 5))
  await put(replica, 2, 3, 9, model.file(3, 9))
  await replica.store.delete(
    (await replica.catalog()).levels
      .get(0)!
      .slice(0, 8)
      .map(({ key }) => key),
  )
  const merge = planSnapshot(await replica.catalog())!
  expect(merge.inputs.map(({ minTXID, maxTXID }) => [minTXID, maxTXID])).toEqual([
    [1n, 5n],
    [3n, 9n],
    [10n, 10n],
    [11n, 11n],
    [12n, 12n],
  ])
  await runMerge(replica, replica.writer(LEASE), merge)
  const catalog = await replica.catalog()
  expect(planRestore(catalog, { kind: 'latest' }).files.length).toBe(1)
  expect(Buffer.compare(await imageAt(replica, catalog, 12n), model.image(12))).toBe(0)
})

test('C6: a snapshot of the newest state is made by several merges where one may not have so many inputs', async () => {
  const { model, replica } = await history(12, new MemoryStore())
  const made: string[] = []
  const options = {
    policy: { maxInputs: 5 },
    onMerged: ({ file, inputs }: Merged) => made.push(`${file.level}: ${file.maxTXID} of ${inputs.length}`),
  }
  const writer = replica.writer(LEASE)
  await makeSnapshot(replica, writer, await replica.catalog(), options)
  expect(made).toEqual(['9: 5 of 5', '9: 9 of 5', '9: 12 of 4'])
  const catalog = await replica.catalog()
  expect(planRestore(catalog, { kind: 'latest' }).files.length).toBe(1)
  expect(Buffer.compare(await imageAt(replica, catalog, 12n), model.image(12))).toBe(0)
  await makeSnapshot(replica, writer, catalog, options)
  expect(made.length).toBe(3)
})

test('C6: where nothing leads to the newest state, no snapshot is made, and it is said why', async () => {
  const { replica } = await history(8, new MemoryStore())
  const catalog = await replica.catalog()
  await replica.store.delete([catalog.levels.get(0)![3]!.key])
  const made = makeSnapshot(replica, replica.writer(LEASE), await replica.catalog())
  await expect(made).rejects.toSatisfy((error) => isReplicaError(error, 'gap'))
})

test.each([2, 3, 200])(
  'C7: a survey tells what compacting then does, with %i inputs at most',
  async (maxInputs) => {
    const { replica } = await history(60, new MemoryStore())
    const policy = { levels: LEVELS, maxInputs, snapshots: 'never' as const }
    const now = timeOf(60) + 1000
    const catalog = await replica.catalog()
    const plan = await surveyCompaction(replica, catalog, { policy, now })
    expect(await replica.catalog()).toEqual(catalog)
    const done: unknown[] = []
    const { nextAt } = await compact(replica, replica.writer(LEASE), catalog, {
      policy,
      now: () => now,
      onMerged: ({ file, inputs }) => done.push([file.level, ...inputs.map(({ key }) => key)]),
    })
    expect(plan.merges.map(({ level, inputs }) => [level, ...inputs.map(({ key }) => key)])).toEqual(done)
    expect(done.length).toBeGreaterThan(5)
    expect(plan.nextAt).toBe(nextAt)
  },
)
