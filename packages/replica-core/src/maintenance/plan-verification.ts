import type { TXID } from '@sqlstream/ltx'

const DAY_MS = 86_400_000

/** When the newest state is proven restorable, and what that may cost. */
export interface VerificationPolicy {
  /** Time between two proofs, in milliseconds. Nothing is read while nothing new has come since the last one. */
  readonly everyMs: number
  /**
   * Bytes that may be read from the store in any 24 hours of one run of the process. A state that takes more is not verified, and an
   * event says so.
   */
  readonly bytesPerDay: number
}

/** @throws RangeError when a number is not above 0 */
export function checkVerification(policy: VerificationPolicy): VerificationPolicy {
  for (const name of ['everyMs', 'bytesPerDay'] as const) {
    if (!(policy[name] > 0)) throw new RangeError(`verification.${name} must be above 0, not ${policy[name]}`)
  }
  return policy
}

/** What decides when the next proof is due. Times are milliseconds since 1970. */
export interface VerificationState {
  /** The newest transaction in the replica. */
  readonly head: TXID | undefined
  /** The state that was proven last, by whomever, and when. */
  readonly proven: { readonly txid: TXID; readonly at: number } | undefined
  /** The last attempt that came to an end: it found damage, or the budget did not allow it. */
  readonly triedAt: number | undefined
  /** Start of the process. */
  readonly beganAt: number
  /** 0 to 1, of this process: moves a proof by up to a 24th of the time between two, so that many databases do not read at once. */
  readonly jitter: number
}

/** When the next proof is due, milliseconds since 1970; undefined while there is nothing that was not proven. */
export function verificationDue(
  { head, proven, triedAt, beganAt, jitter }: VerificationState,
  { everyMs }: VerificationPolicy,
  now: number,
): number | undefined {
  if (head === undefined || head === proven?.txid) return undefined
  const times = [proven?.at, triedAt].filter((time) => time !== undefined)
  const spread = (jitter * everyMs) / 24
  if (times.length === 0) return beganAt + spread
  // A clock that was ahead must not put it off for ever.
  return Math.min(Math.max(...times), now) + everyMs + spread
}

/** What was read at one time. */
export interface Spent {
  /** Milliseconds since 1970. */
  readonly at: number
  readonly bytes: number
}

/** Whether so many bytes may be read now. */
export interface Allowance {
  readonly fits: boolean
  /** Bytes that may be read now, at least 0. */
  readonly left: number
  /** When it will fit, if nothing else is read meanwhile; undefined when it fits now, and when it never will. */
  readonly fitsAt?: number
}

/** What the last 24 hours have left of the budget. */
export function allowanceFor(
  needed: number,
  spent: readonly Spent[],
  { bytesPerDay }: VerificationPolicy,
  now: number,
): Allowance {
  const counted = stillCounted(spent, now)
  let left = bytesPerDay - counted.reduce((sum, { bytes }) => sum + bytes, 0)
  const shown = Math.max(0, left)
  if (needed <= left) return { fits: true, left: shown }
  if (needed > bytesPerDay) return { fits: false, left: shown }
  for (const { at, bytes } of counted) {
    left += bytes
    if (needed <= left) return { fits: false, left: shown, fitsAt: at + DAY_MS }
  }
  return { fits: false, left: shown }
}

/** What was read within the last 24 hours, oldest first; what a clock that has gone back puts in the future counts as of now. */
export function stillCounted(spent: readonly Spent[], now: number): Spent[] {
  return spent
    .filter(({ at }) => at + DAY_MS > now)
    .map(({ at, bytes }) => ({ at: Math.min(at, now), bytes }))
    .sort((a, b) => a.at - b.at)
}
