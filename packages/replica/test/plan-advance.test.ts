import { toTXID } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type Catalog,
  createCatalog,
  filesOf,
  loadNextCapture,
  planAdvance,
  Replica,
  restorableTXIDs,
} from '../src/index.ts'
import { countRequests } from './counting-store.ts'
import { Model, noisePage, put, smallHistory, upload } from './model.ts'

function catalogOf(files: readonly (readonly [level: number, min: number, max: number])[]): Catalog {
  return createCatalog(
    files.map(([level, min, max]) => ({
      key: `${level}/${min}-${max}`,
      level,
      minTXID: toTXID(min),
      maxTXID: toTXID(max),
      size: 1000,
      modified: new Date(0),
    })),
  )
}

function advance(files: Parameters<typeof catalogOf>[0], from: number): [string[], number, number] {
  const { files: chain, txid, head } = planAdvance(catalogOf(files), toTXID(from))
  return [chain.map(({ key }) => key), Number(txid), Number(head)]
}

describe('planAdvance', () => {
  test('P1: goes on by captures, and by a merge that reaches over the state', () => {
    expect(
      advance(
        [
          [9, 1, 3],
          [0, 4, 4],
          [0, 5, 5],
        ],
        3,
      ),
    ).toEqual([['0/4-4', '0/5-5'], 5, 5])
    expect(
      advance(
        [
          [9, 1, 3],
          [1, 7, 11],
        ],
        9,
      ),
    ).toEqual([['1/7-11'], 11, 11])
    expect(advance([[1, 7, 11]], 5)).toEqual([[], 5, 11])
  })

  test('P1: takes nothing when nothing is newer, and no snapshot', () => {
    expect(
      advance(
        [
          [9, 1, 3],
          [0, 2, 2],
        ],
        3,
      ),
    ).toEqual([[], 3, 3])
    expect(advance([[9, 1, 8]], 3)).toEqual([[], 3, 8])
    expect(advance([], 3)).toEqual([[], 3, 0])
  })

  test('P1: stops before a hole and tells how far the others reach', () => {
    expect(
      advance(
        [
          [0, 4, 4],
          [0, 6, 6],
        ],
        3,
      ),
    ).toEqual([['0/4-4'], 4, 6])
  })

  test('P1, P2: reaches from any restorable state each later one that no snapshot is needed for', () => {
    const range = fc.tuple(fc.integer({ min: 0, max: 3 }), fc.integer({ min: 2, max: 30 }), fc.nat(6))
    fc.assert(
      fc.property(fc.array(range, { maxLength: 40 }), (ranges) => {
        const catalog = catalogOf([
          [9, 1, 5],
          ...ranges.map(([level, min, more]) => [level, min, min + more] as const),
        ])
        const points = restorableTXIDs(catalog)
        for (const from of points) {
          const { files, txid } = planAdvance(catalog, from)
          let at = from as bigint
          for (const file of files) {
            expect(file.minTXID).toBeLessThanOrEqual(at + 1n)
            expect(file.maxTXID).toBeGreaterThan(at)
            at = file.maxTXID
          }
          expect(txid).toBe(at)
          expect(txid).toBe(points.at(-1))
        }
      }),
    )
  })
})

describe('loadNextCapture', () => {
  test('asks once, and brings all of a small file', async () => {
    const model = smallHistory()
    const counted = countRequests(new MemoryStore())
    const replica = await upload(model, counted.store)
    counted.requests.length = 0
    const loaded = await loadNextCapture(replica, toTXID(3))
    expect(loaded?.bytes).toEqual(model.file(3, 3))
    expect([...(loaded?.index.pgnos ?? [])]).toEqual([1, 7, 8, 9])
    expect(loaded?.header?.commit).toBe(9)
    expect(await loadNextCapture(replica, toTXID(6))).toBeUndefined()
    expect(counted.requests.map(({ operation }) => operation)).toEqual(['get', 'get'])
    expect(counted.open.size).toBe(0)
  })

  test('of a large one the end and the beginning', async () => {
    const model = new Model(4096)
    const pages = Array.from({ length: 200 }, (_, i) => [i + 1, noisePage(4096, i)] as const)
    model.commit(200, new Map(pages))
    const counted = countRequests(new MemoryStore())
    const replica = new Replica(counted.store)
    await put(replica, 0, 1, 1, model.file(1, 1))
    counted.requests.length = 0
    const loaded = await loadNextCapture(replica, toTXID(1), { headBytes: 5000 })
    expect(loaded?.bytes).toBeUndefined()
    expect(loaded?.head).toEqual(model.file(1, 1).subarray(0, 5000))
    expect(loaded?.index.count).toBe(200)
    expect(counted.requests.length).toBe(2)
    expect(counted.open.size).toBe(0)
  })

  test('of one that is not complete it says so', async () => {
    const bytes = smallHistory().file(2, 2)
    const store = new MemoryStore()
    const replica = new Replica(store)
    const [file] = filesOf(await upload(smallHistory(), store).then((whole) => whole.catalog()))
    expect(file?.maxTXID).toBe(1n)
    for (const size of [0, 60, 150, bytes.byteLength - 1]) {
      await store.put('ltx/0/0000000000000002-0000000000000002.ltx', bytes.subarray(0, size))
      await expect(loadNextCapture(replica, toTXID(2))).rejects.toMatchObject({ name: 'LTXError' })
    }
  })
})
