import { randomUUID } from 'node:crypto'
import { hostname } from 'node:os'
import { type AbortOptions, type PlannedRestore, pin, type Replica, unpin } from '@sqlstream/replica'
import { planFrom } from './restore-plan.ts'

/** Shorter restores are over before the grace of the files that they read is. */
const LONG_RESTORE_BYTES = 1e9
/** Also the end of a pin whose restore was killed. */
const LONGEST_RESTORE_MS = 24 * 3_600_000

/** Options of `holdState`. */
export interface HoldOptions extends AbortOptions {
  readonly longFromBytes?: number
}

/** A state that retention leaves alone until it is let go. */
export interface HeldState {
  readonly planned: PlannedRestore
  release(): Promise<void>
}

/**
 * Pins the state of a restore that will be long, and plans it again from what is there once the pin is. A bucket that may only be read is
 * no obstacle: then a file that goes meanwhile is planned around.
 */
export async function holdState(
  replica: Replica,
  planned: PlannedRestore,
  options: HoldOptions,
): Promise<HeldState> {
  const { longFromBytes = LONG_RESTORE_BYTES, signal } = options
  const { files, txid } = planned.plan
  const free = { planned, release: async () => {} }
  if (files.reduce((sum, { size }) => sum + size, 0) < longFromBytes) return free
  const id = `restore-${randomUUID()}`
  const expires = new Date(Date.now() + LONGEST_RESTORE_MS)
  try {
    await pin(replica.store, { id, txid, reason: `sqlstream restore on ${hostname()}`, expires }, { signal })
  } catch {
    signal?.throwIfAborted()
    return free
  }
  // Without the signal: also after an abort the state is let go.
  const release = (): Promise<void> => unpin(replica.store, id).catch(() => undefined)
  try {
    const again = await planFrom(
      replica,
      await replica.catalog({ signal }),
      { kind: 'txid', txid },
      { signal },
    )
    return { planned: again, release }
  } catch (error) {
    await release()
    throw error
  }
}
