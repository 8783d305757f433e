import type { Slots } from '@sqlstream/storage'
import type { Budgets } from '../budget/budgets.ts'
import type { PrimaryOptions } from '../options.ts'
import type { PrimaryContext } from '../primary-context.ts'
import type { CaptureLog } from '../state/capture-log.ts'
import type { FleetDatabase, FleetEvent } from './fleet-events.ts'
import type { FleetOptions } from './fleet-options.ts'
import type { OpenBudget } from './open-budget.ts'

/** What the members of a fleet share. */
export interface MemberContext {
  readonly options: FleetOptions
  readonly budgets: Budgets
  readonly primary: Omit<PrimaryContext, 'resting' | 'log'>
  /** The log of captures that they share. Undefined where there can be none. */
  readonly log: () => Promise<CaptureLog | undefined>
  readonly budget: OpenBudget
  /** Of databases that are being opened. */
  readonly openings: Slots
  /** Of records that are read. */
  readonly reads: Slots
  readonly emit: (event: FleetEvent) => void
  /** Ends what waits to be opened. */
  readonly signal: AbortSignal
}

/** How one database of a fleet is replicated. */
export function primaryOptionsOf(
  { options, budgets }: Pick<MemberContext, 'options' | 'budgets'>,
  database: FleetDatabase,
): PrimaryOptions {
  const { primary, replicaOf, storeName } = options
  const replica = budgets.replica(replicaOf(database), database.path)
  const replicaName = storeName === undefined ? {} : { replicaName: `${storeName} ${database.destination}` }
  return { ...primary, database: database.path, replica, ...replicaName }
}
