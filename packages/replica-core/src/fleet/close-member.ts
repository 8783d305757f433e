import type { Primary } from '../primary.ts'
import type { CloseReport } from '../report.ts'
import type { Resting } from '../rest.ts'
import { endRest, type LastRests, restAtEnd } from '../rest-keeper.ts'
import type { Parked } from './parked.ts'

/** What there is of a member: one of these, or nothing. */
export interface Closable {
  readonly primary: Primary | undefined
  readonly resting: Resting | undefined
  readonly parked: Parked | undefined
}

/** How a member is closed. */
export interface CloseOptions {
  /** Ends the wait for the uploads. */
  readonly signal?: AbortSignal | undefined
  /** The process ends, and the next one is to find it at rest if that can be done in this time. */
  readonly inTime?: LastRests
}

/** Uploads what is left of a database and lets it go, or ends its rest. Undefined if it never was open. */
export async function closeMember(
  { primary, resting, parked }: Closable,
  { signal, inTime }: CloseOptions,
): Promise<CloseReport | undefined> {
  if (primary !== undefined) {
    const last = inTime && (await restAtEnd(primary, signal, inTime))
    if (last === undefined) return await primary.close(signal && { signal })
    await endRest(last, true)
    return complete(last)
  }
  if (resting !== undefined) await endRest(resting)
  const left = resting ?? parked
  return left && complete(left)
}

/** Of a database that rests. */
function complete({ pos }: Pick<Resting, 'pos'>): CloseReport {
  return { captured: pos, uploaded: pos.txid, pendingFiles: 0 }
}
