/** What to do next to learn of new states. */
export type FollowStep =
  /** Ask for the capture right behind the newest state. */
  | 'probe'
  /** List the captures behind the newest state. */
  | 'list-captures'
  /** List everything: what is missing among the captures may be merged already. */
  | 'list-all'
  | 'done'

/** How new states are learnt of. */
export interface FollowOptions {
  /** `probe` asks for the next file by its name, `list` lists the captures each time. Default `probe`. */
  readonly method?: 'probe' | 'list' | undefined
  /** With `probe`: list the captures after this time too, ms. Default 30,000. */
  readonly listMs?: number | undefined
}

/** What a step brought. */
export type FollowOutcome =
  /** A newer state. */
  | 'advanced'
  /** Nothing newer. */
  | 'nothing'
  /** There are newer files, none of which connects. */
  | 'gap'

const LIST_MS = 30_000
/** After so long without a round it is not known what has become of the captures meanwhile. */
const LONG_PAUSE_MS = 60_000
/** So many listings of captures come between two of everything. */
const CAPTURE_LISTINGS = 10

/**
 * Decides what a round of looking for new states asks for. A round begins with `begin`, and goes on with `next` until it is done. Pure: the time is an
 * argument.
 */
export class FollowPlan {
  readonly #method: 'probe' | 'list'
  readonly #listMs: number
  #lastListing = Number.NEGATIVE_INFINITY
  #lastRound = Number.NEGATIVE_INFINITY
  #listings = 0
  #mustListAll = false
  #step: FollowStep = 'done'

  constructor(options: FollowOptions = {}) {
    this.#method = options.method ?? 'probe'
    this.#listMs = options.listMs ?? LIST_MS
  }

  /** Everything was listed at this time: the view is what came of it. */
  listedAll(now: number): void {
    this.#lastListing = now
    this.#lastRound = now
    this.#listings = 0
    this.#mustListAll = false
  }

  /** A round failed: what it would have found is not known, nor is what happened meanwhile. */
  failed(): void {
    this.#mustListAll = true
    this.#step = 'done'
  }

  /** The first step of a round. @param thorough list everything, if need be, before saying that there is nothing new */
  begin(now: number, thorough = false): FollowStep {
    // After a pause (a machine that slept) captures may have been merged and removed.
    if (thorough || now - this.#lastRound > Math.max(LONG_PAUSE_MS, 10 * this.#listMs))
      this.#mustListAll = true
    this.#lastRound = now
    this.#step = this.#method === 'probe' ? 'probe' : 'list-captures'
    return this.#step
  }

  /** The next step, after what the last one brought. */
  next(outcome: FollowOutcome, now: number): FollowStep {
    this.#step = this.#after(outcome, now)
    return this.#step
  }

  #after(outcome: FollowOutcome, now: number): FollowStep {
    if (this.#step === 'list-all') {
      this.listedAll(now)
      return outcome === 'advanced' && this.#method === 'probe' ? 'probe' : 'done'
    }
    if (outcome === 'gap') return 'list-all'
    if (this.#step === 'probe') {
      if (outcome === 'advanced') return 'probe'
      if (this.#mustListAll) return 'list-all'
      return now - this.#lastListing >= this.#listMs ? 'list-captures' : 'done'
    }
    this.#lastListing = now
    this.#listings++
    if (outcome === 'advanced') return this.#method === 'probe' ? 'probe' : 'done'
    return this.#mustListAll || this.#listings >= CAPTURE_LISTINGS ? 'list-all' : 'done'
  }
}
