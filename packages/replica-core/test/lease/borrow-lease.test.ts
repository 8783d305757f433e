import { ReplicaError } from '@sqlstream/replica'
import { MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { isPrimaryError, showLease, withBorrowedLease } from '../../src/index.ts'
import { acquireLease } from '../../src/lease/acquire-lease.ts'

test('a lease is borrowed for the work and given back, also when the work fails', async () => {
  const store = new MemoryStore()
  const seen = await withBorrowedLease(store, async (lease) => {
    expect(await showLease(store)).toMatchObject({ state: 'held', epoch: 1n, owner: lease.owner })
    return lease.epoch
  })
  expect([seen, (await showLease(store))?.state]).toEqual([1n, 'released'])
  const work = (): Promise<never> => Promise.reject(new ReplicaError('corrupt', 'no'))
  await expect(withBorrowedLease(store, work)).rejects.toThrow('no')
  expect(await showLease(store)).toMatchObject({ state: 'released', epoch: 2n })
})

test('a writer that rests keeps its lease, however long ago its time was over', async () => {
  const store = new MemoryStore()
  const writer = await acquireLease(store, { place: 'a', owner: 'web-1', ttlMs: 100 })
  await new Promise((resolve) => setTimeout(resolve, 300))
  const error = await withBorrowedLease(store, () => Promise.resolve()).catch((thrown: unknown) => thrown)
  expect(isPrimaryError(error, 'lease-held')).toBe(true)
  expect(error).toMatchObject({
    message: expect.stringContaining('web-1'),
    hint: expect.stringContaining('lease release'),
  })
  await writer.renew()
  expect(writer.signal.aborted).toBe(false)
})

test('a store without conditional puts needs the promise of a sole writer', async () => {
  const store = Object.assign(new MemoryStore(), {
    capabilities: { conditionalPut: false, consistentList: true },
  })
  const error = await withBorrowedLease(store, () => Promise.resolve()).catch((thrown: unknown) => thrown)
  expect(isPrimaryError(error, 'lease-unsupported')).toBe(true)
  expect(await withBorrowedLease(store, ({ epoch }) => Promise.resolve(epoch), { soleWriter: true })).toBe(0n)
})
