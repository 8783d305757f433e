import { toTXID } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { type Epoch, type Lease, planRestore, Replica, type RestoreTarget } from '../src/index.ts'

test('mistakes that the compiler finds (this file is compiled by tsc)', () => {
  // @ts-expect-error A TXID and an instant at once.
  const both: RestoreTarget = { kind: 'txid', txid: toTXID(1), timestamp: new Date(0) }
  // @ts-expect-error A bigint is not a TXID.
  const plain: RestoreTarget = { kind: 'txid', txid: 1n }
  // @ts-expect-error A TXID is not an epoch.
  const epoch: Epoch = toTXID(1)
  const replica = new Replica(new MemoryStore())
  // @ts-expect-error Changing a replica needs a lease.
  expect(() => replica.writer().put).not.toThrow()
  const lease: Pick<Lease, 'owner'> = { owner: 'me' }
  // @ts-expect-error A name is not a lease.
  replica.writer(lease)
  // @ts-expect-error A plan needs a catalog.
  expect(() => planRestore(undefined, { kind: 'latest' })).toThrow(TypeError)
  expect([both.kind, plain.kind, epoch]).toEqual(['txid', 'txid', 1n])
})
