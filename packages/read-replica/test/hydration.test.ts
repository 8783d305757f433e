import { toChecksum, toTXID } from '@sqlstream/ltx'
import { Replica } from '@sqlstream/replica'
import { MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import type { StartEngine } from '../src/engine-client.ts'
import type { CopyState } from '../src/hydration/copy.ts'
import { Hydration } from '../src/hydration/hydration.ts'

const NO_STATS = { hits: 0, misses: 0, cachedBytes: 0, waitMs: 0 }

function stateAt(txid: number): CopyState {
  return { txid: toTXID(txid), time: txid, checksum: toChecksum((1n << 63n) | BigInt(txid)) }
}

/** A thread that has nothing to say. */
const start: StartEngine = ({ onMessage }) => ({
  post: (message) => {
    if (!('call' in message)) return
    queueMicrotask(() =>
      onMessage({ type: 'reply', call: message.call, sets: [], isLast: true, stats: NO_STATS }),
    )
  },
  terminate: () => undefined,
})

/** A hydration over a copy whose state is set by hand, and what it has told. */
async function served(): Promise<{
  readonly hydration: Hydration
  readonly copy: { state: CopyState }
  readonly shown: { txid: bigint }
  readonly moves: bigint[]
}> {
  const copy = { state: stateAt(1), look: async () => false, close: async () => undefined }
  const shown = { txid: 1n }
  const moves: bigint[] = []
  const hydration = new Hydration({
    open: async () => copy,
    start,
    holdMs: 1000,
    replica: new Replica(new MemoryStore()),
    intervalMs: 1,
    now: () => 0,
  })
  await new Promise<void>((resolve, reject) =>
    hydration.begin({
      shown: () => toTXID(shown.txid),
      confirmed: () => undefined,
      moved: ({ txid }) => {
        moves.push(txid)
        shown.txid = txid
      },
      serving: () => resolve(),
      failed: reject,
    }),
  )
  return { hydration, copy, shown, moves }
}

test('H3: a state that the copy has just got counts as shown before anybody reads it', async () => {
  const { hydration, copy, moves } = await served()
  copy.state = stateAt(2)
  const reads = await hydration.enter(undefined)
  expect(reads?.state.txid).toBe(2n)
  expect(moves).toEqual([2n])
  reads?.release()
  await hydration.close()
})

test('H3: while the copy is behind what was shown, it is not read', async () => {
  const { hydration, copy, shown } = await served()
  shown.txid = 3n
  expect(await hydration.enter(undefined)).toBeUndefined()
  copy.state = stateAt(3)
  const reads = await hydration.enter(undefined)
  expect(reads?.state.txid).toBe(3n)
  reads?.release()
  await hydration.close()
  expect(await hydration.enter(undefined)).toBeUndefined()
})
