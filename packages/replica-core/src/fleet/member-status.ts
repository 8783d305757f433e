import type { TXID } from '@sqlstream/ltx'
import type { CloseReport, PrimaryStatus } from '../report.ts'
import type { Resting } from '../rest.ts'
import type { PrimaryState } from '../state-machine.ts'
import type { FleetDatabase, MemberState } from './fleet-events.ts'

/** What a member can be when it is closed: `queued` at the end of the fleet. */
export type ClosedState = 'queued' | 'gone' | 'fenced' | 'stopped'
/** States that nothing changes any more. */
const FINAL: ReadonlySet<MemberState> = new Set(['gone', 'fenced'])

/** Whether a member goes from one state to another. One that was stopped can only be gone after that. */
export function canBecome(from: MemberState, to: MemberState): boolean {
  if (from === to || FINAL.has(from)) return false
  return from !== 'stopped' || to === 'gone'
}

/** How a database of a fleet stands. */
export interface MemberStatus {
  readonly database: FleetDatabase
  /** `failed` also when it is open and its commits cannot be captured now. */
  readonly state: MemberState
  readonly captured?: TXID
  /** Everything up to here is in the replica. */
  readonly uploaded?: TXID
  readonly pendingFiles: number
  readonly pendingBytes: number
  /** As `PrimaryStatus.unreplicatedSince`; of one that was never opened, since it was found. */
  readonly unreplicatedSince?: number
  /** As `PrimaryStatus.provenAt`. */
  readonly provenAt?: number
  readonly lastError?: Error
}

function isFailing(state: PrimaryState | undefined): boolean {
  return state === 'failed' || state === 'suspended'
}

/** Puts together what is known of a member, with its primary, at rest, or without either. */
export function memberStatus(
  database: FleetDatabase,
  state: MemberState,
  {
    primary,
    left,
    since,
    report,
    lastError,
  }: {
    readonly primary: PrimaryStatus | undefined
    /** At rest. */
    readonly left: (Pick<Resting, 'pos'> & Partial<Pick<Resting, 'maintenance'>>) | undefined
    readonly since: number | undefined
    /** Of one that is closed. */
    readonly report: CloseReport | undefined
    readonly lastError: Error | undefined
  },
): MemberStatus {
  const captured = primary?.captured?.txid ?? left?.pos.txid ?? report?.captured?.txid
  const uploaded = primary?.uploaded ?? left?.pos.txid ?? report?.uploaded
  const provenAt = primary?.provenAt ?? left?.maintenance?.provenAt
  const unreplicatedSince = primary === undefined ? since : primary.unreplicatedSince
  return {
    database,
    state: state === 'open' && isFailing(primary?.state) ? 'failed' : state,
    ...(captured !== undefined && { captured }),
    ...(uploaded !== undefined && { uploaded }),
    pendingFiles: primary?.pendingFiles ?? report?.pendingFiles ?? 0,
    pendingBytes: primary?.pendingBytes ?? 0,
    ...(unreplicatedSince !== undefined && { unreplicatedSince }),
    ...(provenAt !== undefined && { provenAt }),
    ...(lastError && { lastError }),
  }
}
