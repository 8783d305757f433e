import { describe, expect, test } from 'vitest'
import { isReplicaError, pin, type RestorePlan, type RestoreResult, restore } from '../src/index.ts'
import { BusyReplica } from './busy-replica.ts'
import { MemorySink } from './memory-sink.ts'
import { at, keysOf, txidOf } from './retention-replica.ts'

/** A slow restore, and how many files of its plan were removed under it. */
async function restoreSlowly(
  busy: BusyReplica,
  plan: RestorePlan,
): Promise<{ sink: MemorySink; result: RestoreResult; gone: number }> {
  const sink = new MemorySink()
  const result = await restore(busy.slowly(40), plan, sink)
  const keys = new Set(await keysOf(busy.store))
  return { sink, result, gone: plan.files.filter(({ key }) => !keys.has(key)).length }
}

describe.each([
  { mode: 'page by page', hasProofs: true },
  { mode: 'file by file', hasProofs: false },
])('T23: a slow restore $mode, while merges and removal go on at full speed', ({ hasProofs }) => {
  test('gives the promised state of its instant, although most files of its plan go', async () => {
    const busy = new BusyReplica({ every: 12_000, for: 3_600_000 }, { hasProofs })
    await busy.run(59)
    // The last state of the slot 48 to 59, which is about to be merged.
    const plan = await busy.planAt(59)
    expect(plan.txid).toBe(59n)
    const started = busy.model.txid
    const { sink, result, gone } = await restoreSlowly(busy, plan)
    expect(Buffer.compare(sink.image, busy.model.image(59))).toBe(0)
    expect(result).toMatchObject({ pos: { txid: 59n }, proven: hasProofs })
    // It took three times as long as it is from snapshot to snapshot.
    expect(busy.model.txid - started).toBeGreaterThan(60)
    expect(gone).toBeGreaterThan(plan.files.length / 2)
  })

  test('gives a state that is promised to nobody else, if it is pinned', async () => {
    const busy = new BusyReplica({ every: 3_000, for: 6_000 }, { hasProofs })
    await busy.run(58)
    const plan = await busy.planAt(57)
    await pin(busy.store, { id: 'restore', txid: plan.txid, reason: 'test', expires: at(100_000) })
    const { sink, result, gone } = await restoreSlowly(busy, plan)
    expect(Buffer.compare(sink.image, busy.model.image(57))).toBe(0)
    expect(result.pos.txid).toBe(57n)
    expect(gone).toBeGreaterThan(0)
    expect(busy.removed).toBeGreaterThan(100)
  })

  test('says that its state is gone, if nothing holds it, and never gives another one', async () => {
    const busy = new BusyReplica({ every: 3_000, for: 6_000 }, { hasProofs })
    await busy.run(58)
    const plan = await busy.planAt(55)
    expect(plan.txid).toBe(txidOf(55))
    const sink = new MemorySink()
    const outcome = await restore(busy.slowly(5), plan, sink).catch((error: unknown) => error)
    expect(isReplicaError(outcome), `${outcome}`).toBe(true)
    expect(['txid-not-restorable', 'target-before-first', 'no-snapshot', 'gap']).toContain(
      isReplicaError(outcome) ? outcome.code : '',
    )
    expect(sink.result).toBeUndefined()
  })
})
