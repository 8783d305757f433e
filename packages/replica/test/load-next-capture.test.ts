import { toTXID } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { filesOf, loadNextCapture, Replica } from '../src/index.ts'
import { countRequests } from './counting-store.ts'
import { Model, noisePage, put, smallHistory, upload } from './model.ts'

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
