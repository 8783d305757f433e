import { PrimaryError } from './errors.ts'
import type { Replication } from './replication.ts'
import type { CheckpointMode } from './sqlite/checkpointer.ts'

/**
 * Checkpoints on the operator's wish.
 *
 * @throws PrimaryError `busy` when a snapshot or the application's readers are in the way; `given-up`
 */
export async function checkpointNow(replication: Replication, mode: CheckpointMode): Promise<void> {
  const { movable, suspension, serial } = replication
  if (suspension.error !== undefined) throw suspension.error
  if (movable === undefined) throw new PrimaryError('busy', 'a snapshot reads the database')
  await movable.cycle.run(true)
  if (mode === 'passive') return
  const result = await serial.run(() => movable.checkpoint(mode))
  if (result.busy) throw new PrimaryError('busy', 'readers or writers of the application were in the way')
}
