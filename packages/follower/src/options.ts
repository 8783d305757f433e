import type { Progress, Replica } from '@sqlstream/replica'
import type { FollowerClock } from './clock.ts'
import type { FollowerListener } from './events.ts'
import type { FailpointHook } from './failpoint.ts'
import type { PollOptions } from './search.ts'

/** Runs a piece of work while nobody else uses the file. Rejects with the signal's reason when it aborts before that. */
export type Exclusively = <T>(work: () => Promise<T>, signal: AbortSignal | undefined) => Promise<T>

/** Options of `openFollower`. */
export interface FollowerOptions {
  readonly replica: Replica
  /** Path of the copy. Its state lies in `.<file>-follow` beside it. */
  readonly file: string
  /** Default: every 500 ms. `false`: only `catchUp` looks. */
  readonly poll?: PollOptions | false | undefined
  /** Say when the copy has not been known to be the newest state for so long. Default: never. */
  readonly maxLagMs?: number | undefined
  /** Replace a file that is no copy of this replica. Default false. */
  readonly replace?: boolean | undefined
  /** Called before a file is replaced; rejects when somebody uses it. Default: nobody is asked. */
  readonly mayReplace?: ((path: string) => Promise<void>) | undefined
  /** What to do when the replica's history is not that of the copy: end with an error, or take it over. Default `refuse`. */
  readonly onDiverged?: 'refuse' | 'rebase' | undefined
  /**
   * Called around each change of the file: for whoever reads it in this process, and would block this thread until they let it go. Runs the work when nobody
   * reads, and returns what it gives. Default: SQLite's own locks decide.
   */
  readonly exclusively?: Exclusively | undefined
  /** Ends it. */
  readonly signal?: AbortSignal | undefined
  readonly onEvent?: FollowerListener | undefined
  /** Of the first copy. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Default: this process's. */
  readonly clock?: FollowerClock | undefined
  /** For crash tests. */
  readonly failpoint?: FailpointHook | undefined
}
