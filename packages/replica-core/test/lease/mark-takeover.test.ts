import { parseChecksum, toTXID } from '@sqlstream/ltx'
import { filesOf, Replica } from '@sqlstream/replica'
import { MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { markTakeover, withTakenLease } from '../../src/index.ts'

const HEAD = {
  pos: { txid: toTXID(7n), postApplyChecksum: parseChecksum('8000000000000123') },
  pageSize: 512,
  commit: 3,
  timestamp: new Date('2038-01-19T03:14:07Z'),
  pageOne: new Uint8Array(512),
} as const

test('a file that changes nothing stands where the former writer would go on, and its time is not before that of the state', async () => {
  const replica = new Replica(new MemoryStore())
  await withTakenLease(replica.store, async (lease) => {
    const file = await markTakeover(replica.writer(lease), HEAD)
    expect(file).toMatchObject({ level: 0, minTXID: 8n, maxTXID: 8n })
    const { proof, nodeId, commit, timestamp } = await replica.header(file)
    expect(proof).toEqual({
      preApplyChecksum: HEAD.pos.postApplyChecksum,
      postApplyChecksum: HEAD.pos.postApplyChecksum,
    })
    expect([nodeId, commit]).toEqual([lease.epoch, 3])
    expect(timestamp).toBeGreaterThanOrEqual(HEAD.timestamp.getTime())
  })
})

test('what the former writer has put there meanwhile is not replaced', async () => {
  const replica = new Replica(new MemoryStore())
  await withTakenLease(replica.store, async (lease) => {
    const writer = replica.writer(lease)
    const range = { minTXID: toTXID(8n), maxTXID: toTXID(8n) }
    await writer.put(0, range, new Uint8Array(200), { timestamp: HEAD.timestamp })
    await expect(markTakeover(writer, HEAD)).rejects.toMatchObject({ code: 'fenced' })
    expect(lease.signal.aborted).toBe(false)
    expect(filesOf(await replica.catalog())).toMatchObject([{ size: 200 }])
  })
})

test('whoever takes over fences the holder that is silent, and leaves a lease that anybody may take', async () => {
  const store = new MemoryStore()
  const { promise: over, resolve } = Promise.withResolvers<void>()
  const { promise: held, resolve: hold } = Promise.withResolvers<void>()
  const former = withTakenLease(
    store,
    async (lease) => {
      hold()
      await over
      await lease.renew()
    },
    { ttlMs: 100 },
  )
  const refused = expect(former).rejects.toMatchObject({ code: 'fenced' })
  await held
  const waits: string[] = []
  await withTakenLease(store, async (lease) => expect(lease.epoch).toBe(2n), {
    onWait: ({ owner }) => waits.push(owner),
  })
  expect(waits).toHaveLength(1)
  resolve()
  await refused
  await withTakenLease(store, async (lease) => expect(lease.epoch).toBe(3n), { wait: 'no' })
})
