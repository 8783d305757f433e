import { formatTXID } from '@sqlstream/ltx'
import { getBytes, MemoryStore } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import {
  assumeSoleWriter,
  createCatalog,
  type Epoch,
  isReplicaError,
  type Lease,
  listPins,
  type Pin,
  pin,
  Replica,
  ReplicaError,
  readDoomed,
  restorableTXIDs,
  retain,
  surveyRetention,
  unpin,
} from '../src/index.ts'
import { fileName } from './catalog-text.ts'
import { countRequests } from './counting-store.ts'
import { Model, pageOf, put, upload } from './model.ts'
import { at, busyReplica, imageAt, keysOf, POLICY, txidOf } from './retention-replica.ts'

const LEASE = assumeSoleWriter('test')
const DOOMED = '.sqlstream/doomed.json'

function pinOf(id: string, txid: number, expires: number): Pin {
  return { id, txid: txidOf(txid), reason: 'test', expires: at(expires) }
}

describe('retain', () => {
  test('D6: marks at first, removes after the grace, and says what it freed', async () => {
    const { replica, model } = await busyReplica()
    const before = await keysOf(replica.store)
    const first = await retain(replica, LEASE, POLICY, { now: at(30) })
    expect([first.removed, first.bytesFreed]).toEqual([[], 0])
    expect((await keysOf(replica.store)).sort()).toEqual([...before, DOOMED].sort())
    expect((await readDoomed(replica.store)).doomed).toEqual(first.doomed)

    const early = await retain(replica, LEASE, POLICY, { now: at(39) })
    expect(early.removed).toEqual([])

    const batches: string[] = []
    const second = await retain(replica, LEASE, POLICY, {
      now: at(40),
      onRemoved: (files) => batches.push(...files.map((file) => file.key)),
    })
    expect(second.removed.map((file) => file.key)).toEqual(first.plan.doom.map((f) => f.key).sort(byEnd))
    expect(batches).toEqual(second.removed.map((file) => file.key))
    expect(second.bytesFreed).toBe(second.removed.reduce((sum, { size }) => sum + size, 0))
    expect(second.doomed.size).toBe(0)
    const left = await replica.catalog()
    // 18 beside 19: the listing says that both came in second 20, and only states that are given up are asked for their own time.
    expect([...left.levels.values()].flat().map(fileName).join(', ')).toBe(
      'L0 1, L0 2, L0 3, L0 18, L0 20, L1 4-7, L1 8-11, L1 12-15, L1 16-19, L9 1-9, L9 1-17',
    )
    expect([...second.catalog.levels.values()].flat().map((file) => file.key)).toEqual(
      [...left.levels.values()].flat().map((file) => file.key),
    )
    for (const txid of restorableTXIDs(left)) {
      expect(await imageAt(replica, txid)).toEqual(model.image(Number(txid)))
    }

    const third = await retain(replica, LEASE, POLICY, { now: at(41) })
    expect([third.removed, third.plan.doom]).toEqual([[], []])
  })

  test('D6: a state that only a merge received late tells of is given up by the time in its header', async () => {
    // Captures are gone; the merges of the slots 4..7 and 8..11 came both in second 13, when the next slot had begun.
    const { model } = await busyReplica()
    const replica = new Replica(new MemoryStore({ now: () => at(13) }))
    await put(replica, 9, 1, 3, model.file(1, 3))
    for (const [min, max] of [
      [4, 7],
      [8, 11],
      [12, 12],
    ] as const) {
      await put(replica, 1, min, max, model.file(min, max))
    }
    await put(replica, 9, 1, 12, model.file(1, 12))
    const { plan, catalog } = await surveyRetention(replica, POLICY, { now: at(60) })
    expect(plan.promised.map(({ txid }) => Number(txid))).toEqual([3, 7, 11, 12])
    expect(plan.doom.map(fileName)).toEqual(['L1 12'])
    // 12 stays anyway, so nobody asked for its time.
    const times = [...catalog.levels.values()].flat().map(({ timestamp }) => timestamp?.getTime())
    const [second3, second7, second11] = [3, 7, 11].map((second) => at(second).getTime())
    expect(times).toEqual([second7, second11, undefined, second3, undefined])
  })

  test('D1, T24: a state is not given up for one that only a slow clock of the store puts into its slot', async () => {
    // A second behind: what was captured in second 8 is listed as of second 7, the last of its slot.
    let puts = 0
    const store = new MemoryStore({ now: () => at(puts++) })
    const model = new Model(512)
    for (let txid = 1; txid <= 20; txid++) model.commit(2, new Map([[1, pageOf(512, txid)]]))
    const replica = await upload(model, store)
    // Nothing builds on another state: each stays only for itself.
    for (let txid = 2; txid <= 20; txid++) await put(replica, 9, 1, txid, model.file(1, txid))
    await retain(replica, LEASE, POLICY, { now: at(30) })
    await retain(replica, LEASE, POLICY, { now: at(41) })
    expect(restorableTXIDs(await replica.catalog())).toEqual([3n, 7n, 11n, 15n, 19n, 20n])
  })

  test('D8: in append-only mode makes no request with a catalog', async () => {
    const { replica } = await busyReplica()
    const { store, requests } = countRequests(replica.store)
    const options = { now: at(1000), catalog: await replica.catalog() }
    const result = await retain(new Replica(store), LEASE, { ...POLICY, neverDelete: true }, options)
    expect([requests, result.removed, result.plan.doom]).toEqual([[], [], []])
  })

  test('survey changes nothing', async () => {
    const { replica } = await busyReplica()
    const { store, requests } = countRequests(replica.store)
    const { plan } = await surveyRetention(new Replica(store), POLICY, { now: at(30) })
    expect(plan.doom.length).toBeGreaterThan(10)
    expect(new Set(requests.map(({ operation }) => operation))).toEqual(new Set(['list', 'get']))
  })

  test('ends with the reason of an abort, and goes on later', async () => {
    const { replica } = await busyReplica()
    await retain(replica, LEASE, POLICY, { now: at(30) })
    const controller = new AbortController()
    const reason = new Error('enough')
    controller.abort(reason)
    const options = { now: at(40), signal: controller.signal, catalog: await replica.catalog() }
    await expect(retain(replica, LEASE, POLICY, options)).rejects.toBe(reason)
    expect((await retain(replica, LEASE, POLICY, { now: at(40) })).removed.length).toBeGreaterThan(0)
  })

  test('removes nothing under a lease that is lost', async () => {
    const { replica } = await busyReplica()
    await retain(replica, LEASE, POLICY, { now: at(30) })
    const before = await keysOf(replica.store)
    const lost = new ReplicaError('fenced', 'somebody else has it')
    const lease: Lease = {
      ...LEASE,
      epoch: 3n as Epoch,
      signal: AbortSignal.abort(lost),
      during: () => Promise.reject(lost),
    }
    const error = await retain(replica, lease, POLICY, { now: at(40) }).catch((thrown: unknown) => thrown)
    expect(isReplicaError(error, 'fenced')).toBe(true)
    expect(await keysOf(replica.store)).toEqual(before)
  })
})

describe('the record of unneeded files', () => {
  test.each([
    ['lost', undefined],
    ['no JSON', 'x'],
    ['no object', '7'],
    ['of another version', '{"version":2,"doomed":[]}'],
    ['without files', '{"version":1,"doomed":[{"since":"2026-01-01T00:00:00.000Z"}]}'],
    ['without a time', '{"version":1,"doomed":[{"since":"soon","files":[]}]}'],
    ['with files that are none', '{"version":1,"doomed":[{"since":"2026-01-01T00:00:00.000Z","files":[7]}]}'],
  ])('D10: that is %s begins the grace anew, no more', async (_, text) => {
    const { replica } = await busyReplica()
    const first = await retain(replica, LEASE, POLICY, { now: at(30) })
    await replica.store.delete([DOOMED])
    if (text !== undefined) await replica.store.put(DOOMED, new TextEncoder().encode(text))
    const second = await retain(replica, LEASE, POLICY, { now: at(45) })
    expect(second.plan.doom.map(fileName)).toEqual(first.plan.doom.map(fileName))
    expect(second.removed).toEqual([])
    const third = await retain(replica, LEASE, POLICY, { now: at(55) })
    expect(third.removed.length).toBe(first.plan.doom.length)
  })

  test('D10: another machine goes on with it', async () => {
    const { replica } = await busyReplica()
    const { plan } = await retain(replica, LEASE, POLICY, { now: at(30) })
    const there = new Replica(replica.store)
    expect((await readDoomed(there.store)).doomed).toEqual(plan.doomed)
    const { removed } = await retain(there, assumeSoleWriter('another'), POLICY, { now: at(40) })
    expect(removed.length).toBe(plan.doom.length)
  })

  test('D10: that somebody else wrote meanwhile is not overwritten, and nothing goes', async () => {
    const { replica } = await busyReplica()
    const store = Object.assign(Object.create(replica.store) as MemoryStore, {
      put: async (...[key, body, options]: Parameters<MemoryStore['put']>) => {
        await replica.store.put(DOOMED, new TextEncoder().encode('{"version":1,"doomed":[]}\n'))
        return await replica.store.put(key, body, options)
      },
      list: replica.store.list.bind(replica.store),
      get: replica.store.get.bind(replica.store),
    })
    const before = await keysOf(replica.store)
    const error = await retain(new Replica(store), LEASE, POLICY, { now: at(30) }).catch((e: unknown) => e)
    expect(isReplicaError(error, 'fenced')).toBe(true)
    expect((await keysOf(replica.store)).sort()).toEqual([...before, DOOMED].sort())
  })
})

describe('pins', () => {
  test('D4, T23: hold a state through removal, until they are let go', async () => {
    const { replica, model } = await busyReplica()
    await retain(replica, LEASE, POLICY, { now: at(30) })
    await pin(replica.store, pinOf('report', 6, 1000))
    const held = await retain(replica, LEASE, POLICY, { now: at(40) })
    expect(held.plan.undoom.map(fileName)).toEqual(['L0 4', 'L0 5', 'L0 6'])
    expect(await imageAt(replica, txidOf(6))).toEqual(model.image(6))
    expect(await imageAt(replica, txidOf(5))).toEqual(model.image(5))
    await unpin(replica.store, 'report')
    await retain(replica, LEASE, POLICY, { now: at(41) })
    expect((await retain(replica, LEASE, POLICY, { now: at(50) })).removed).toEqual([])
    expect((await retain(replica, LEASE, POLICY, { now: at(51) })).removed.map(fileName)).toEqual([
      'L0 6',
      'L0 5',
      'L0 4',
    ])
  })

  test('D4: that have expired hold nothing, and are swept a grace later', async () => {
    const { replica } = await busyReplica()
    await pin(replica.store, pinOf('old', 5, 30))
    await pin(replica.store, pinOf('other', 6, 31))
    expect((await retain(replica, LEASE, POLICY, { now: at(30) })).plan.doom.map(fileName)).not.toContain(
      'L0 6',
    )
    expect((await listPins(replica.store)).map(({ id }) => id)).toEqual(['old', 'other'])
    await retain(replica, LEASE, POLICY, { now: at(40) })
    expect((await listPins(replica.store)).map(({ id }) => id)).toEqual(['other'])
    await retain(replica, LEASE, POLICY, { now: at(50) })
    expect(await listPins(replica.store)).toEqual([])
  })

  test('can be renewed, and say what they are for', async () => {
    const store = new MemoryStore()
    await pin(store, pinOf('a', 1, 10))
    await pin(store, { ...pinOf('a', 2, 20), reason: 'quarterly report' })
    expect(await listPins(store)).toEqual([{ ...pinOf('a', 2, 20), reason: 'quarterly report' }])
    expect(JSON.parse(Buffer.from(await getBytes(store, '.sqlstream/pins/a.json')).toString())).toEqual({
      version: 1,
      txid: formatTXID(txidOf(2)),
      reason: 'quarterly report',
      expires: at(20).toISOString(),
    })
    await unpin(store, 'nobody')
  })

  test.each(['', '.a', 'a/b', 'a b', 'ä', 'x'.repeat(101)])('refuse the id %j', async (id) => {
    await expect(pin(new MemoryStore(), pinOf(id, 1, 10))).rejects.toThrow(RangeError)
  })

  test.each([
    'x',
    'null',
    '{"version":2}',
    '{"version":1,"txid":7,"reason":"","expires":"2026-01-01T00:00:00Z"}',
    '{"version":1,"txid":"7","reason":"","expires":"2026-01-01T00:00:00Z"}',
    '{"version":1,"txid":"0000000000000007","expires":"2026-01-01T00:00:00Z"}',
    '{"version":1,"txid":"0000000000000007","reason":"","expires":"never"}',
  ])('D10: one that cannot be read stops retention: %s', async (text) => {
    const { replica } = await busyReplica()
    await replica.store.put('.sqlstream/pins/bad.json', new TextEncoder().encode(text))
    const before = await keysOf(replica.store)
    const error = await retain(replica, LEASE, POLICY, { now: at(30) }).catch((thrown: unknown) => thrown)
    expect(isReplicaError(error, 'corrupt'), `${error}`).toBe(true)
    expect(await keysOf(replica.store)).toEqual(before)
  })

  test('other objects beside them are none', async () => {
    const store = new MemoryStore()
    for (const key of ['a.txt', 'a/b.json', '.json'])
      await store.put(`.sqlstream/pins/${key}`, new Uint8Array(1))
    expect(await listPins(store)).toEqual([])
  })
})

describe('requests', () => {
  test('D12: none with what the last run left when nothing changes; else few', async () => {
    const { replica } = await busyReplica()
    const { store, requests } = countRequests(replica.store)
    const counted = new Replica(store)
    const take = (): string[] =>
      requests.splice(0).map(({ operation, key = '' }) => `${operation} ${key.slice(0, 15)}`.trim())

    // A writer knows the times of what it wrote.
    const files = [...(await replica.catalog()).levels.values()].flat()
    const known = createCatalog(files.map((file) => ({ ...file, timestamp: at(Number(file.maxTXID)) })))
    let { catalog, doomed } = await retain(counted, LEASE, POLICY, { now: at(30), catalog: known })
    expect(take()).toEqual(['get .sqlstream/doom', 'list', 'put .sqlstream/doom'])
    for (const second of [31, 35, 39]) {
      ;({ catalog, doomed } = await retain(counted, LEASE, POLICY, { now: at(second), catalog, doomed }))
      expect(take()).toEqual([])
    }
    ;({ catalog, doomed } = await retain(counted, LEASE, POLICY, { now: at(40), catalog, doomed }))
    expect(take()).toEqual(['get .sqlstream/doom', 'list', 'delete ltx/0/000000000', 'put .sqlstream/doom'])
    ;({ catalog, doomed } = await retain(counted, LEASE, POLICY, { now: at(41), catalog, doomed }))
    expect(take()).toEqual([])
  })
})

function byEnd(a: string, b: string): number {
  return b.slice(-20).localeCompare(a.slice(-20))
}
