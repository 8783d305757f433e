import type { FleetFailure, MemberState } from './fleet-events.ts'
import type { Member } from './member.ts'

/** How many are in each state. */
export function countStates(members: Iterable<Member>): Record<MemberState, number> {
  const counts = { queued: 0, opening: 0, open: 0, resting: 0, failed: 0, fenced: 0, stopped: 0, gone: 0 }
  for (const { state } of members) counts[state]++
  return counts
}

/** Makes all of them durable. Returns those where that failed. @throws the reason of the signal */
export async function durableAll(
  members: Iterable<Member>,
  signal: AbortSignal | undefined,
): Promise<FleetFailure[]> {
  const failures: FleetFailure[] = []
  // How many are open, and how many are being opened, is bounded for all of them.
  const each = async (member: Member): Promise<void> => {
    try {
      await member.durable(signal)
    } catch (error) {
      signal?.throwIfAborted()
      failures.push({ database: member.database, error: error as Error })
    }
  }
  await Promise.all(Array.from(members, each))
  return failures
}

/** Those to be let go now: open and not written for so long, those first that were not for longest; more of them while others wait. */
export function membersToRest(
  members: Iterable<Member>,
  {
    now,
    restAfterMs,
    waiting,
  }: { readonly now: number; readonly restAfterMs: number; readonly waiting: number },
): Member[] {
  const open = [...members].filter(({ state }) => state === 'open')
  open.sort((a, b) => a.lastCommit - b.lastCommit)
  return open.filter(({ lastCommit }, i) => now - lastCommit >= restAfterMs || i < waiting)
}

/** Opens those that rest since an earlier process, and whose maintenance has something to do at this time, ms since 1970. */
export async function maintainAll(members: Iterable<Member>, time: number): Promise<void> {
  const due: Promise<void>[] = []
  for (const member of members) {
    const work = member.maintain(time)
    if (work !== undefined) due.push(work)
  }
  await Promise.all(due)
}
