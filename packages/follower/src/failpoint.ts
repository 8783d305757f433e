/** Named places where a crash test may end the process: between two steps whose order matters (SPEC.md). */
export const FAILPOINTS = [
  'prepared',
  'locked',
  'journal-named',
  'half-written',
  'written',
  'truncated',
  'synced',
  'committed',
  'unlocked',
] as const

/** A name from {@link FAILPOINTS}. */
export type Failpoint = (typeof FAILPOINTS)[number]

/** Called when an apply passes a failpoint. Used by tests; a real run passes nothing. */
export type FailpointHook = (name: Failpoint) => void
