/** Timers of the system reach no further. */
const LONGEST_TIMER_MS = 2 ** 31 - 1

/**
 * Runs `work` at a time, milliseconds since 1970, or a good while before it when it is far away: the work looks again. Does not keep the process alive.
 * @param now of the same clock
 */
export function startTimer(at: number, now: number, work: () => void): NodeJS.Timeout {
  return setTimeout(work, Math.min(Math.max(0, at - now), LONGEST_TIMER_MS)).unref()
}
