/** The clocks that a lease is judged by. */
export interface LeaseClock {
  /** Milliseconds that never go back. They may stand still while the machine sleeps. */
  monotonic(): number
  /** Milliseconds since the epoch. They may jump. */
  wall(): number
  /** Resolves after so many milliseconds, or rejects with the signal's reason. */
  sleep(milliseconds: number, signal?: AbortSignal): Promise<void>
}

/** The reason of a sleep that nobody needs any more. Without one the system makes an error, with a stack, each time. */
export const ENDED: Error = new Error('nobody waits any more')

/** An instant on both clocks. */
export interface LeaseInstant {
  readonly monotonic: number
  readonly wall: number
}

/** This process's clocks. */
export const SYSTEM_CLOCK: LeaseClock = {
  monotonic: () => performance.now(),
  wall: () => Date.now(),
  sleep: (milliseconds, signal) =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        signal?.removeEventListener('abort', onAbort)
        resolve()
      }, milliseconds)
      const onAbort = (): void => {
        clearTimeout(timer)
        reject(signal?.reason)
      }
      if (signal?.aborted) onAbort()
      else signal?.addEventListener('abort', onAbort, { once: true })
    }),
}

/** Now, on both clocks. */
export function instantOf(clock: LeaseClock): LeaseInstant {
  return { monotonic: clock.monotonic(), wall: clock.wall() }
}

/**
 * Milliseconds since an instant. The wall clock counts only where it says more: a machine that slept stops its monotonic clock,
 * and a wall clock that jumps ahead costs one renewal, nothing else.
 */
export function ageOf(instant: LeaseInstant, clock: LeaseClock): number {
  return Math.max(clock.monotonic() - instant.monotonic, clock.wall() - instant.wall)
}
