import { expect, test } from 'vitest'
import {
  assumeSoleWriter,
  isReplicaError,
  pin,
  planRestore,
  Replica,
  type RetentionPlan,
  readDoomed,
  restorableTXIDs,
  retain,
} from '../src/index.ts'
import { countRequests } from './counting-store.ts'
import { dyingStore, isDeath } from './dying-store.ts'
import { put } from './model.ts'
import { at, busyReplica, copyOf, imageAt, keysOf, lookAt, POLICY, txidOf } from './retention-replica.ts'

const LEASE = assumeSoleWriter('test')

test.each(['ascending', 'descending'] as const)(
  'D11: killed at any step of any run, everything promised is restored and the next run goes on (%s deletes)',
  async (order) => {
    const { replica, model } = await busyReplica()
    let steps = 0
    // The first run marks, the second removes, the third has a pin to sweep.
    await pin(replica.store, { id: 'old', txid: txidOf(6), reason: 'test', expires: at(10) })
    for (const now of [at(30), at(40), at(90), at(110)]) {
      const end = await copyOf(replica.store)
      const whole = await retain(new Replica(end), LEASE, POLICY, { now })
      for (let n = 1; ; n++) {
        const copy = await copyOf(replica.store)
        const dying = dyingStore(copy, n, order)
        const died = await retain(new Replica(dying), LEASE, POLICY, { now }).then(() => false, isDeath)
        if (!died) break
        steps++
        await checkWhole(new Replica(copy), whole.plan, model)
        // Once more, without a death: the same as if nothing had happened.
        await retain(new Replica(copy), LEASE, POLICY, { now })
        expect(await keysOf(copy)).toEqual(await keysOf(end))
      }
      await retain(replica, LEASE, POLICY, { now })
    }
    expect(steps).toBeGreaterThan(80)
  },
)

/** Every promised state comes back as it was, and every instant has a plan. */
async function checkWhole(
  replica: Replica,
  plan: RetentionPlan,
  model: { image(txid: number): Uint8Array },
): Promise<void> {
  const { catalog, avoid } = await lookAt(replica)
  const points = new Set(restorableTXIDs(catalog))
  for (const { txid } of plan.promised) {
    expect(points.has(txid), `${txid}`).toBe(true)
    expect(await imageAt(replica, txid)).toEqual(model.image(Number(txid)))
  }
  const [first] = points
  for (let second = Number(first); second <= 22; second++) {
    const timestamp = at(second)
    const known = await replica.withTimestamps(catalog, timestamp)
    const { txid } = planRestore(known, { kind: 'timestamp', timestamp }, { avoid })
    expect(Number(txid)).toBeLessThanOrEqual(second)
  }
}

test('D11: a delete that failed after it was carried out, or in part, is no harm', async () => {
  const { replica } = await busyReplica()
  await retain(replica, LEASE, POLICY, { now: at(30) })
  const inner = replica.store
  const failing = dyingStore(inner, Number.POSITIVE_INFINITY)
  failing.delete = async (keys) => {
    await inner.delete(keys.slice(0, 3))
    throw new Error('lost')
  }
  await expect(retain(new Replica(failing), LEASE, POLICY, { now: at(40) })).rejects.toThrow('lost')
  await retain(replica, LEASE, POLICY, { now: at(40) })
  const { doomed } = await readDoomed(inner)
  expect(doomed.size).toBe(0)
})

test('D11, T33: a store that says deleted and keeps does no harm, and nothing but what was planned is asked for', async () => {
  const { replica, model } = await busyReplica()
  await retain(replica, LEASE, POLICY, { now: at(30) })
  const inner = replica.store
  const keeping = dyingStore(inner, Number.POSITIVE_INFINITY)
  const asked: string[] = []
  keeping.delete = async (keys) => void asked.push(...keys)
  const first = await retain(new Replica(keeping), LEASE, POLICY, { now: at(40) })
  expect(asked).toEqual(first.removed.map(({ key }) => key))
  expect(asked.length).toBeGreaterThan(5)
  // What is left is found again, and plans go on without it.
  await checkWhole(replica, first.plan, model)
  const again = await retain(replica, LEASE, POLICY, { now: at(41) })
  expect(again.plan.doom.map(({ key }) => key).sort()).toEqual([...asked].sort())
  const last = await retain(replica, LEASE, POLICY, { now: at(51) })
  expect(last.removed.map(({ key }) => key).sort()).toEqual([...asked].sort())
  await checkWhole(replica, last.plan, model)
})

test('D11: what is found to be unneeded is recorded before anything is removed', async () => {
  const { replica, model } = await busyReplica()
  await retain(replica, LEASE, POLICY, { now: at(30) })
  await put(replica, 1, 2, 2, model.file(2, 2))
  const { store, requests } = countRequests(replica.store)
  const { plan } = await retain(new Replica(store), LEASE, POLICY, { now: at(40) })
  expect(plan.doom.length).toBe(1)
  const changes = requests.map(({ operation }) => operation).filter((name) => /put|delete/.test(name))
  expect(changes).toEqual(['put', 'delete', 'put'])
})

/** What may be wrong with the snapshot that is to be relied on. */
const DAMAGES: [string, (bytes: Uint8Array) => Uint8Array | undefined][] = [
  ['gone', () => undefined],
  ['empty', () => new Uint8Array(0)],
  ['cut off', (bytes) => bytes.subarray(0, bytes.byteLength - 30)],
  ['cut to its header', (bytes) => bytes.subarray(0, 120)],
  ['longer than it was', (bytes) => Buffer.concat([bytes, new Uint8Array(20)])],
  ['zeros', (bytes) => new Uint8Array(bytes.byteLength)],
  [
    'of other transactions',
    (bytes) => {
      const other = bytes.slice()
      // The last TXID in the header.
      other[31]! ^= 1
      return other
    },
  ],
  [
    'of a larger database',
    (bytes) => {
      const other = bytes.slice()
      // The size in pages, in the header.
      other[15]! += 1
      return other
    },
  ],
]

test.each(DAMAGES)('D13: no snapshot goes while the one that stays is %s', async (_, damage) => {
  const { replica, model } = await busyReplica()
  // As listed before the damage, or after it.
  for (const isListedBefore of [true, false]) {
    const store = await copyOf(replica.store)
    const damaged = new Replica(store)
    const policy = { ...POLICY, keep: [{ every: 'capture' as const, for: 1000 }] }
    await retain(damaged, LEASE, policy, { now: at(100) })
    const before = await damaged.catalog()
    const key = 'ltx/9/0000000000000001-0000000000000011.ltx'
    const bytes = damage(model.file(1, 17))
    await store.delete([key])
    if (bytes) await store.put(key, bytes)
    const keys = await keysOf(store)
    const options = { now: at(200), ...(isListedBefore && { catalog: before }) }
    const result = await retain(damaged, LEASE, policy, options).catch((error: unknown) => error)
    const removed = keys.filter((each) => each.startsWith('ltx/9')).length
    expect((await keysOf(store)).filter((each) => each.startsWith('ltx/9')).length).toBe(removed)
    // Listed as it is, one that is gone or too short is not relied on in the first place.
    if (isListedBefore || isReplicaError(result))
      expect(isReplicaError(result, 'corrupt'), `${result}`).toBe(true)
  }
})
