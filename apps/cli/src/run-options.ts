import type { Budgets, PrimaryEvent } from '@sqlstream/replica-core'
import type { StorageOperation } from '@sqlstream/storage'
import type { Drivers } from './drivers.ts'
import type { EventJSON } from './schema.ts'

/** What the runs of one `replicate` are started with: where their lines go, and who learns of what they do. */
export interface RunOptions {
  readonly drivers: Drivers
  readonly signal: AbortSignal
  readonly json: boolean
  /** For people. */
  readonly say: (line: string) => void
  /** For `--json`. */
  readonly tell: (event: EventJSON) => void
  /** What they may take together. */
  readonly budgets: Budgets
  /** Learns of what is done. */
  readonly activity: RunActivity
}

/** Learns of what the databases of a process do. Calls must be cheap. */
export interface RunActivity {
  readonly event: (event: PrimaryEvent) => void
  readonly operation: (operation: StorageOperation) => void
  readonly openFailed: (error: unknown) => void
  readonly writeLock: (milliseconds: number) => void
}
