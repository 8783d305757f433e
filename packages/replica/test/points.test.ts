import { MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { Replica, restorablePoints, withPointTimes } from '../src/index.ts'
import { countRequests } from './counting-store.ts'
import { Model, pageOf, put, timeOf } from './model.ts'

test('the times of some states cost a request each, and none for those that are known', async () => {
  const model = new Model(512)
  const { store, requests } = countRequests(new MemoryStore())
  const replica = new Replica(store)
  for (let txid = 1; txid <= 6; txid++) {
    model.commit(2, new Map([1, 2].map((pgno) => [pgno, pageOf(512, txid * 10 + pgno)])))
    await put(replica, txid === 1 ? 9 : 0, txid, txid, model.file(txid, txid))
  }
  // A merge, which arrived later than its last capture.
  await put(replica, 1, 2, 4, model.file(2, 4))
  requests.length = 0
  const listed = await replica.catalog()
  expect(restorablePoints(listed).map(({ txid }) => txid)).toEqual([1n, 2n, 3n, 4n, 5n, 6n])
  const txids = new Set([1n, 4n, 6n].map((txid) => restorablePoints(listed)[Number(txid) - 1]!.txid))
  const timed = await withPointTimes(replica, listed, txids)
  expect(requests.map(({ operation }) => operation)).toEqual(['list', 'get', 'get', 'get'])
  const times = new Map(restorablePoints(timed).map(({ txid, time }) => [txid, time.getTime()]))
  for (const txid of txids) expect(times.get(txid)).toBe(timeOf(Number(txid)))
  await withPointTimes(replica, timed, txids)
  expect(requests.length).toBe(4)
})

test('a file that is too short leads nowhere', async () => {
  const replica = new Replica(new MemoryStore())
  await put(replica, 9, 1, 1, new Uint8Array(50))
  expect(restorablePoints(await replica.catalog())).toEqual([])
})
