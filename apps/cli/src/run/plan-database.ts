import type { DatabaseKind } from '@sqlstream/replica-core'

/** What there is at the path of a database. */
export type LocalKind = DatabaseKind | 'missing'

/** How a database is made ready before the application starts. */
export type Preparation =
  /** It is there; whether it may go on is decided as for `replicate`. */
  | { readonly kind: 'use' }
  | { readonly kind: 'restore'; readonly replacesEmpty: boolean }
  /** The store says that there is no backup: look once more while nobody else can write one. */
  | { readonly kind: 'claim' }
  /** There is none: the application makes it. */
  | { readonly kind: 'expect' }

/**
 * Decides about one database. Pure.
 *
 * @param backup what the store has said: an error is no answer
 * @param claimed nobody else has written there since
 */
export function planDatabase(
  local: LocalKind,
  backup: 'there' | 'none',
  { claimed }: { readonly claimed: boolean },
): Preparation {
  // A file without a byte is what an application has left that opened a database and wrote nothing.
  if (local !== 'missing' && local !== 'empty') return { kind: 'use' }
  if (backup === 'there') return { kind: 'restore', replacesEmpty: local === 'empty' }
  return claimed ? { kind: 'expect' } : { kind: 'claim' }
}

/** So often a database is restored, while other writers come and go in between. */
export const MOST_RESTORES = 5

/** The replica has gone on since this copy was made, or holds something that it lacks. */
const OLD: ReadonlySet<string> = new Set(['behind', 'diverged'])

/** What to do about a database that may not be replicated as it is. Pure. */
export function planRefusedStart(
  code: string,
  copy: {
    /** How often it was restored by this process; 0: it was there. */
    readonly restores: number
    /** Nobody has written to it since. */
    readonly untouched: boolean
  },
): 'restore' | 'give-up' {
  const { restores, untouched } = copy
  return OLD.has(code) && untouched && restores > 0 && restores < MOST_RESTORES ? 'restore' : 'give-up'
}

/** What to do about a database that was not there at the start. Pure. */
export function planArrival(local: LocalKind): 'wait' | 'doubt' | 'begin' {
  switch (local) {
    case 'missing':
    case 'empty':
      return 'wait'
    case 'not-wal':
    case 'not-a-database':
      return 'doubt'
    case 'wal':
      return 'begin'
  }
}

/** Somebody else writes there, or has written: going on would make two histories of one database. */
const OTHERS: ReadonlySet<string> = new Set([
  'lease-held',
  'behind',
  'diverged',
  'wrong-database',
  'fenced',
  'locked',
])

/** What to do when it cannot be replicated once it is there. Pure. */
export function planRefusedArrival(code: string): 'stop-application' | 'try-again' {
  return OTHERS.has(code) ? 'stop-application' : 'try-again'
}
