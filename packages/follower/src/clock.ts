import { setTimeout as sleep } from 'node:timers/promises'

/** What following is timed by. */
export interface FollowerClock {
  /** Milliseconds that never go back. */
  now(): number
  /** Resolves after so many milliseconds, or when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>
}

/** This process's clock. */
export const SYSTEM_CLOCK: FollowerClock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => sleep(milliseconds, undefined, { signal }).catch(() => undefined),
}
