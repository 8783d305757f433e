import { MemoryStore, StorageError } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { headOf, isReplicaError, planRestore, Replica } from '../src/index.ts'
import { collect } from './collect.ts'
import { countRequests } from './counting-store.ts'
import { Model, pageOf, put, smallHistory, timeOf, upload } from './model.ts'

const NAME = '0000000000000001-0000000000000001.ltx'

async function failure(work: Promise<unknown>): Promise<unknown> {
  return await work.then(
    () => undefined,
    (error: unknown) => error,
  )
}

describe('catalog', () => {
  test('K4: is made by one flat listing, in TXID order per level', async () => {
    const { store, requests } = countRequests(new MemoryStore())
    const model = smallHistory()
    const replica = await upload(model, store)
    await put(replica, 1, 2, 3, model.file(2, 3))
    await put(replica, 9, 1, 4, model.file(1, 4))
    requests.length = 0
    const catalog = await replica.catalog()
    expect(requests.map(({ operation }) => operation)).toEqual(['list'])
    expect(
      [...catalog.levels].map(([level, files]) => [level, files.map(({ maxTXID }) => Number(maxTXID))]),
    ).toEqual([
      [0, [1, 2, 3, 4, 5]],
      [1, [3]],
      [9, [4]],
    ])
    expect(headOf(catalog)).toBe(5n)
  })

  test('K1: reads the s3 layout, and chooses it by the driver of the store', async () => {
    const store = Object.assign(new MemoryStore(), { driver: 's3' })
    const replica = await upload(smallHistory(), store)
    expect((await collect(store.list()))[0]?.key).toBe(`0000/${NAME}`)
    expect(headOf(await replica.catalog())).toBe(5n)
    expect(headOf(await new Replica(store, { layout: 'plain' }).catalog())).toBeUndefined()
  })

  test('K3: leaves out what is not an LTX file: our own objects, v0.3 generations, temporary files', async () => {
    const store = new MemoryStore()
    const replica = await upload(smallHistory(), store)
    for (const key of [
      '.sqlstream/identity.json',
      'generations/3131c0b75e8911ca/snapshots/00000000.snapshot.lz4',
      'lock.json',
      `ltx/0/${NAME}.tmp`,
      'ltx/README',
      'other/x.ltx',
    ]) {
      await store.put(key, new Uint8Array(10))
    }
    const catalog = await replica.catalog()
    expect([...catalog.levels.values()].flat().length).toBe(5)
  })

  test.each([
    ['plain', 'ltx/0/00000000000000001-0000000000000001.ltx', 'a digit more'],
    ['plain', 'ltx/0/000000000000000A-000000000000000A.ltx', 'upper case'],
    ['plain', 'ltx/0/0000000000000002-0000000000000001.ltx', 'an end before the beginning'],
    ['plain', 'ltx/0/0000000000000000-0000000000000001.ltx', 'TXID 0'],
    ['plain', `ltx/10/${NAME}`, 'an unknown level'],
    ['plain', `ltx/00/${NAME}`, 'a level written differently'],
    ['plain', `ltx/0/old/${NAME}`, 'a folder deeper'],
    ['plain', `ltx/${NAME}`, 'no level'],
    ['s3', '0000/00000000000000001-0000000000000001.ltx', 'a digit more'],
    ['s3', `000a/${NAME}`, 'an unknown level'],
  ] as const)(
    'K2, T49: %s layout refuses %s (%s) instead of overlooking a part of the history',
    async (layout, key, _why) => {
      const store = new MemoryStore()
      await store.put(key, new Uint8Array(200))
      const error = await failure(new Replica(store, { layout }).catalog())
      expect(isReplicaError(error, 'bad-name')).toBe(true)
      expect((error as Error).message).toContain(key)
    },
  )

  test.each(['permission-denied', 'unavailable', 'timeout', 'unknown'] as const)(
    'T53: a listing that fails with %s is that error, never an empty replica',
    async (code) => {
      const store = new MemoryStore()
      await upload(smallHistory(), store)
      const error = new StorageError('no', { code, driver: 'memory', operation: 'list' })
      const broken = Object.assign(Object.create(store) as MemoryStore, {
        async *list() {
          yield* []
          throw error
        },
      })
      expect(await failure(new Replica(broken).catalog())).toBe(error)
    },
  )

  test('T53: a listing that fails after its first page is no shorter listing', async () => {
    const store = new MemoryStore()
    await upload(smallHistory(), store)
    const error = new StorageError('500', { code: 'unavailable', driver: 'memory', operation: 'list' })
    const broken = Object.assign(Object.create(store) as MemoryStore, {
      async *list() {
        for await (const info of store.list()) {
          yield info
          throw error
        }
      },
    })
    expect(await failure(new Replica(broken).catalog())).toBe(error)
  })

  test('T53: an identity that cannot be read is an error, only an absent one is undefined', async () => {
    const store = new MemoryStore()
    expect(await new Replica(store).identity()).toBeUndefined()
    const error = new StorageError('403', { code: 'permission-denied', driver: 'memory', operation: 'get' })
    const broken = Object.assign(Object.create(store) as MemoryStore, { get: () => Promise.reject(error) })
    expect(await failure(new Replica(broken).identity())).toBe(error)
    await store.put('.sqlstream/identity.json', new TextEncoder().encode('<html>'))
    expect(isReplicaError(await failure(new Replica(store).identity()), 'corrupt')).toBe(true)
  })
})

describe('header', () => {
  test('costs one request of 100 bytes', async () => {
    const { store, requests } = countRequests(new MemoryStore())
    const replica = await upload(smallHistory(), store)
    const [file] = (await replica.catalog()).levels.get(0) ?? []
    requests.length = 0
    const header = await replica.header(file!)
    expect(header.timestamp).toBe(timeOf(1))
    expect(requests).toEqual([{ operation: 'get', key: file!.key, bytes: 100 }])
  })

  test('must tell the range that the name tells', async () => {
    const store = new MemoryStore()
    const model = smallHistory()
    const replica = new Replica(store)
    const file = await put(replica, 0, 2, 2, model.file(3, 3))
    expect(isReplicaError(await failure(replica.header(file)), 'corrupt')).toBe(true)
  })

  test('T29: of an object that is none is corrupt', async () => {
    const store = new MemoryStore()
    const replica = new Replica(store)
    const page = new TextEncoder().encode(`<?xml version="1.0"?><Error>${' '.repeat(200)}</Error>`)
    for (const body of [page, page.subarray(0, 50), new Uint8Array(0)]) {
      await store.delete([`ltx/0/${NAME}`])
      const file = await put(replica, 0, 1, 1, body)
      expect(isReplicaError(await failure(replica.header(file)), 'corrupt')).toBe(true)
    }
  })
})

describe('withTimestamps', () => {
  async function longHistory(count: number): ReturnType<typeof setup> {
    return await setup(count)
  }
  async function setup(count: number): Promise<ReturnType<typeof countRequests> & { replica: Replica }> {
    const counting = countRequests(new MemoryStore())
    const model = new Model(512)
    for (let txid = 1; txid <= count; txid++) model.commit(1, new Map([[1, pageOf(512, txid)]]))
    const replica = await upload(model, counting.store)
    counting.requests.length = 0
    return { ...counting, replica }
  }

  test('reads one header for "now" and about log2(n) for any other instant', async () => {
    const { replica, requests } = await longHistory(500)
    const catalog = await replica.catalog()
    for (const [instant, txid, most] of [
      [timeOf(500) + 60_000, 500, 1],
      [timeOf(500), 500, 1],
      [timeOf(250) + 500, 250, 10],
      [timeOf(2), 2, 10],
      [timeOf(499), 499, 10],
    ] as const) {
      requests.length = 0
      const timed = await replica.withTimestamps(catalog, new Date(instant))
      expect(requests.length).toBeLessThanOrEqual(most)
      expect(requests.every(({ bytes }) => bytes === 100)).toBe(true)
      const target = { kind: 'timestamp', timestamp: new Date(instant) } as const
      expect(planRestore(timed, target)).toMatchObject({
        txid: BigInt(txid),
        timestamp: new Date(timeOf(txid)),
        distanceMs: instant - timeOf(txid),
      })
      requests.length = 0
      expect(await replica.withTimestamps(timed, new Date(instant))).toBe(timed)
      expect(requests).toEqual([])
    }
    const early = new Date(timeOf(1) - 1)
    const timed = await replica.withTimestamps(catalog, early)
    const error = await failure((async () => planRestore(timed, { kind: 'timestamp', timestamp: early }))())
    expect(isReplicaError(error, 'target-before-first')).toBe(true)
  })
})

test('randomAccess reads by range', async () => {
  const { store, requests } = countRequests(new MemoryStore())
  const model = smallHistory()
  const replica = await upload(model, store)
  const [file] = (await replica.catalog()).levels.get(0) ?? []
  requests.length = 0
  const access = replica.randomAccess(file!)
  expect(access.size).toBe(file!.size)
  const bytes = await access.read(file!.size - 16, 16)
  expect(Buffer.from(bytes)).toEqual(Buffer.from(model.file(1, 1).slice(-16)))
  expect(requests).toEqual([{ operation: 'get', key: file!.key, bytes: 16 }])
})

test('every reading call stops at an abort with the reason itself', async () => {
  const replica = await upload(smallHistory(), new MemoryStore())
  const [file] = (await replica.catalog()).levels.get(0) ?? []
  const reason = new Error('stop')
  const signal = AbortSignal.abort(reason)
  expect(await failure(replica.catalog({ signal }))).toBe(reason)
  expect(await failure(replica.header(file!, { signal }))).toBe(reason)
  expect(await failure(replica.identity({ signal }))).toBe(reason)
  expect(await failure(collect(replica.open(file!, { signal })))).toBe(reason)
  expect(await failure(replica.randomAccess(file!).read(0, 1, { signal }))).toBe(reason)
})
