import { ReplicaError } from '@sqlstream/replica'
import type { LeaseRecord } from './record.ts'

const HINT =
  'Find out who should write this replica and stop the other. `sqlstream lease show` tells who holds it.'

/** What ends all work under a lease. */
export function lostLease(message: string): ReplicaError {
  return new ReplicaError('fenced', message, { hint: HINT })
}

/** Who has the lease instead, for people. */
export function describeOther({ owner, epoch, state }: LeaseRecord): string {
  return state === 'released'
    ? `the lease was released as epoch ${epoch} by ${owner}`
    : `${owner} has taken over with epoch ${epoch}`
}
