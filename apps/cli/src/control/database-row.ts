import type { TXID } from '@sqlstream/ltx'
import type { CloseReport, MemberState, MemberStatus, PrimaryStatus } from '@sqlstream/replica-core'

/** How one database of a running process stands. */
export interface DatabaseRow extends Omit<MemberStatus, 'database'> {
  /** Absolute. */
  readonly database: string
  /** The URL of its replica without credentials. */
  readonly replica: string
}

/** One database of a running process, and what can be asked of it. */
export interface ControlledDatabase {
  readonly row: DatabaseRow
  /** Resolves when everything that was committed before is in the replica, with how far that is. */
  sync(signal: AbortSignal): Promise<TXID>
  /** Takes it up again. Does nothing when it runs. */
  start(signal: AbortSignal): Promise<void>
  /** Uploads what is left and lets it go; the signal ends the wait for the uploads. Undefined if it never was open. */
  stop(signal: AbortSignal): Promise<CloseReport | undefined>
}

/** What a primary says, in the states that all databases have. */
export function stateOf({ state }: PrimaryStatus): MemberState {
  switch (state) {
    case 'closed':
      return 'stopped'
    case 'opening':
    case 'continuing':
      return 'opening'
    case 'fenced':
    case 'failed':
      return state
    case 'suspended':
      return 'failed'
    case 'resyncing':
    case 'snapshotting':
    case 'capturing':
    case 'idle':
      return 'open'
  }
}
