import type { Pos, TXID } from '@sqlstream/ltx'

/** What happens to a copy. New types may be added; ignore those you do not know. */
export type FollowerEvent =
  /** The first copy is there. */
  | {
      readonly type: 'restored'
      readonly pos: Pos
      readonly commit: number
      readonly bytes: number
      readonly milliseconds: number
    }
  /** A copy that was there is gone on with. */
  | { readonly type: 'resumed'; readonly pos: Pos }
  /** Transactions were applied, which readers see as one. */
  | {
      readonly type: 'applied'
      readonly from: TXID
      readonly pos: Pos
      /** Files that were read; 0 when a snapshot was in the way. */
      readonly files: number
      /** Pages that were written. */
      readonly pages: number
      /** Header time of the newest. */
      readonly timestamp: Date
      readonly milliseconds: number
    }
  /** No file led on from `from`: the copy was compared with a newer state, and what differs was applied. */
  | {
      readonly type: 'rebased'
      readonly from: TXID
      readonly pos: Pos
      readonly pages: number
      readonly milliseconds: number
    }
  /** Nothing new is there; said once after each change. */
  | { readonly type: 'current'; readonly pos: Pos }
  /** The copy may be older than was asked for. */
  | { readonly type: 'stale'; readonly lagMs: number }
  /** It is not any more. */
  | { readonly type: 'fresh' }
  /** To be tried again. */
  | { readonly type: 'failed'; readonly error: Error; readonly retryInMs: number }

/** Told of each event. Must be quick and not throw. */
export type FollowerListener = (event: FollowerEvent) => void
