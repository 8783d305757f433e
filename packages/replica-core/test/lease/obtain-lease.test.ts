import { MemoryStore, withFaults, withObserver } from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import { expect, it } from 'vitest'
import type { PrimaryEvent } from '../../src/index.ts'
import { obtainLease, returnLease } from '../../src/lease/obtain-lease.ts'
import { showLease } from '../../src/lease/operate-lease.ts'
import { createStateFolder, stateFolder } from '../../src/state/state-folder.ts'

function begin() {
  const folder = new TempFolder('lease')
  const state = stateFolder(folder.join('app.db'))
  createStateFolder(state)
  const inner = new MemoryStore()
  const requests: string[] = []
  const faulty = withFaults(inner, [])
  const store = withObserver(faulty, ({ operation, key = '' }) => {
    requests.push(`${operation} ${key.replace(/probe\/.*/, 'probe')}`)
  })
  const events: PrimaryEvent[] = []
  const context = { store, folder: state, emit: (event: PrimaryEvent) => void events.push(event) }
  return { folder, inner, faulty, store, requests, events, context }
}

it('E5: a start costs a few small requests for the probe and two for the lease', async () => {
  const { folder, context, requests, events } = begin()
  using _ = folder
  const lease = await obtainLease(context)
  expect(requests.filter((request) => !request.endsWith('probe') && !request.startsWith('delete'))).toEqual([
    'get .sqlstream/lease.json',
    'put .sqlstream/lease.json',
  ])
  expect(requests.length).toBeLessThanOrEqual(9)
  expect(events).toMatchObject([{ type: 'lease', state: 'acquired', epoch: 1n, ttlMs: 30_000 }])
  await returnLease(lease)
  expect(await showLease(context.store)).toMatchObject({ state: 'released', epoch: 1n, inFlight: false })
})

it('E2: the next start from the same place needs no wait, whatever became of the last one', async () => {
  const { folder, context } = begin()
  using _ = folder
  await obtainLease(context)
  expect(await obtainLease(context, { wait: 'no' })).toMatchObject({ epoch: 2n, formerMayWrite: false })
})

it('E10: in a store without conditional put nothing is written, and the hint says how to go on', async () => {
  const { folder, context } = begin()
  using _ = folder
  const capabilities = { conditionalPut: false, consistentList: true }
  const store = Object.assign(new MemoryStore(), { capabilities })
  await expect(obtainLease({ ...context, store })).rejects.toMatchObject({
    code: 'lease-unsupported',
    hint: expect.stringContaining('--sole-writer'),
  })
  expect(await showLease(store)).toBeUndefined()
})

it('E10, T32: a store that ignores conditions is found out, and no lease is believed there', async () => {
  const { folder, context, faulty } = begin()
  using _ = folder
  faulty.setPlan([{ operation: 'put', fault: 'ignore-precondition' }])
  await expect(obtainLease(context)).rejects.toMatchObject({ code: 'lease-unsupported' })
  expect(await showLease(context.store)).toBeUndefined()
})

it('E10: with the promise of the operator there is no lease and no request', async () => {
  const { folder, context, requests } = begin()
  using _ = folder
  const lease = await obtainLease(context, { soleWriter: true, owner: 'me' })
  expect(lease).toMatchObject({ owner: 'me', epoch: 0n })
  await returnLease(lease)
  expect(requests).toEqual([])
})
