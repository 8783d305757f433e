import { mkdtemp, rm } from 'node:fs/promises'
import { hostname, tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatChecksum, formatTXID } from '@sqlstream/ltx'
import { type Catalog, type Progress, type ProvenRestore, type Replica, writeProof } from '@sqlstream/replica'
import { createKernelPool } from '@sqlstream/replica/node'
import { carryOutRestore } from './carry-out-restore.ts'
import { EXIT, type ExitCode } from './exit-codes.ts'
import { describeFailure } from './failure.ts'
import { planFrom } from './restore-plan.ts'
import type { DrillJSON } from './schema.ts'

/** How a drill is held. */
export interface DrillOptions {
  readonly signal: AbortSignal
  readonly onProgress: (progress: Progress) => void
}

/** What a drill found, and what the process returns for it. */
export interface Drill {
  readonly report: DrillJSON
  readonly exit: ExitCode
}

/**
 * Restores the newest state to a temporary folder (TMPDIR), as one day it may have to be, has SQLite check all of it, and records in the
 * replica that this state was proven. Whatever fails is the report's; only an abort is thrown.
 */
export async function runDrill(replica: Replica, catalog: Catalog, options: DrillOptions): Promise<Drill> {
  const { signal, onProgress } = options
  const start = performance.now()
  try {
    const folder = await mkdtemp(join(tmpdir(), 'sqlstream-drill-'))
    try {
      const planned = await planFrom(replica, catalog, { kind: 'latest' }, { signal })
      const { result } = await carryOutRestore(replica, planned, {
        output: join(folder, 'drill.db'),
        check: 'full',
        force: false,
        delta: false,
        adopt: false,
        signal,
        pool: createKernelPool,
        onProgress,
      })
      const { txid, postApplyChecksum } = result.pos
      const proof: ProvenRestore = {
        txid,
        postApplyChecksum,
        timestamp: result.timestamp,
        provenAt: new Date(),
        by: `sqlstream verify on ${hostname()}`,
      }
      const report: DrillJSON = {
        ok: true,
        txid: formatTXID(txid),
        postApplyChecksum: formatChecksum(postApplyChecksum),
        timestamp: result.timestamp.toISOString(),
        proven: result.proven,
        bytes: result.commit * result.pageSize,
        ...(await recorded(replica, result.proven ? proof : undefined, signal)),
        milliseconds: Math.round(performance.now() - start),
      }
      return { report, exit: EXIT.ok }
    } finally {
      await rm(folder, { recursive: true, force: true })
    }
  } catch (error) {
    signal.throwIfAborted()
    const { exit, ...failure } = describeFailure(error)
    const milliseconds = Math.round(performance.now() - start)
    return { report: { ok: false, recorded: false, error: failure, milliseconds }, exit }
  }
}

/** Whether the record was written. That it could not be does not make the state less restorable. */
async function recorded(
  replica: Replica,
  proof: ProvenRestore | undefined,
  signal: AbortSignal,
): Promise<Pick<DrillJSON, 'recorded' | 'warning'>> {
  if (proof === undefined) {
    return { recorded: false, warning: 'the files carry no chain proof, so nothing was recorded' }
  }
  try {
    await writeProof(replica.store, proof, { signal })
    return { recorded: true }
  } catch (error) {
    signal.throwIfAborted()
    return { recorded: false, warning: `it could not be recorded: ${describeFailure(error).message}` }
  }
}
