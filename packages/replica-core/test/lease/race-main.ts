// A writer in a process of its own: takes the lease whenever it can, appends files while it has it, and tells what was
// acknowledged. Arguments: folder of all rounds, name of this writer. The parent stops and continues it.
import { join } from 'node:path'
import { createHeader, Encoder, type TXID, toTXID } from '@sqlstream/ltx'
import { headOf, type Lease, Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { acquireLease } from '../../src/lease/acquire-lease.ts'
import { judgeCollision } from '../../src/lease/late-file.ts'
import { TAKEOVER_GAP } from '../../src/plan-start.ts'

/** What it tells its parent. */
export type RaceReport =
  | { readonly taken: string }
  | { readonly acknowledged: string; readonly epoch: string; readonly writer: string }
  | { readonly fenced: string; readonly tail: string }
  | { readonly idle: number }

const [folder = '', writer = ''] = process.argv.slice(2)
const TTL_MS = 120

function tell(report: RaceReport): void {
  process.send?.(report)
}

function fileOf(txid: TXID, epoch: bigint): Uint8Array {
  const header = createHeader({
    pageSize: 512,
    commit: 1,
    minTXID: txid,
    maxTXID: txid,
    timestamp: 0,
    nodeId: epoch,
    walOffset: Number(writer),
  })
  const encoder = new Encoder(header)
  const page = new Uint8Array(512)
  page[0] = Number(writer)
  return new Uint8Array(
    Buffer.concat([encoder.start(), encoder.page({ pgno: 1, data: page }), encoder.finish()]),
  )
}

/** Appends until it is fenced, or the round is over. */
async function write(replica: Replica, lease: Lease, signal: AbortSignal): Promise<void> {
  let next = toTXID((headOf(await replica.catalog({ signal })) ?? 0n) + 1n)
  for (let n = 0; n < 40 && !signal.aborted; n++) {
    const range = { minTXID: next, maxTXID: next }
    try {
      await replica.writer(lease).put(0, range, fileOf(next, lease.epoch), { timestamp: new Date(0), signal })
      tell({ acknowledged: String(next), epoch: String(lease.epoch), writer })
      next = toTXID(next + 1n)
    } catch (error) {
      if (signal.aborted) return
      if ((error as { code?: string }).code !== 'fenced') continue
      const late =
        !lease.signal.aborted && (await judgeCollision(replica, lease, 0, range, signal)) === 'late'
      if (!late) {
        tell({ fenced: String(lease.epoch), tail: String(next) })
        return
      }
      next = toTXID(next + 1n + TAKEOVER_GAP)
    }
    await new Promise((resolve) => setTimeout(resolve, Math.random() * 8))
  }
}

async function race(round: number, signal: AbortSignal): Promise<void> {
  const replica = new Replica(new FileStore(join(folder, String(round))))
  while (!signal.aborted) {
    const lease = await acquireLease(replica.store, {
      place: `${round} ${writer} ${Math.random()}`,
      owner: writer,
      ttlMs: TTL_MS,
      wait: 'forever',
      signal,
    })
    tell({ taken: String(lease.epoch) })
    await write(replica, lease, signal)
    // Some give it back, some just go away.
    if (Math.random() < 0.5) await lease.release({ signal }).catch(() => undefined)
  }
}

let aborter = new AbortController()
process.on('message', (round: number) => {
  if (round < 0) {
    aborter.abort()
    return
  }
  aborter = new AbortController()
  const { signal } = aborter
  void race(round, signal)
    .catch((error: unknown) => {
      if (!signal.aborted) throw error
    })
    .then(() => tell({ idle: round }))
})
process.on('disconnect', () => process.exit())
