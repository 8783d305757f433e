import type { TXID } from '@sqlstream/ltx'
import type { PrimaryEvent } from './events.ts'

/**
 * Since when a replica lacks something. Times are those at which a commit was first seen, so they are late by the few milliseconds
 * in which a file event arrives, or by the interval of polling where there are none. What cannot be looked at counts as behind.
 */
export class Backlog {
  readonly #now: () => number
  /** A commit that is not captured was seen. */
  #seen: number | undefined
  /** What is in the database cannot be captured, or the replica is another writer's. */
  #doubt: number | undefined
  #fenced = false
  /** What was captured and is not acknowledged, oldest first. */
  readonly #captured: { readonly txid: TXID; readonly since: number }[] = []

  /** @param now ms since the epoch */
  constructor(now: () => number) {
    this.#now = now
  }

  /** A file that an earlier process captured at `since`. */
  found(txid: TXID, since: number): void {
    this.#captured.push({ txid, since })
  }

  /** The database has, or may have, a commit that is not captured. */
  behind(since: number = this.#now()): void {
    this.#seen ??= since
  }

  /** Everything that is visible is captured. */
  current(): void {
    this.#seen = undefined
    if (!this.#fenced) this.#doubt = undefined
  }

  /** The database cannot be read, or captured. */
  doubtful(): void {
    this.#doubt ??= this.#now()
  }

  /** Everything up to `txid` is in the replica. */
  acknowledged(txid: TXID): void {
    const rest = this.#captured.findIndex((each) => each.txid > txid)
    this.#captured.splice(0, rest < 0 ? this.#captured.length : rest)
  }

  /** Learns from what a primary reports. */
  observe(event: PrimaryEvent): void {
    switch (event.type) {
      case 'captured':
        this.found(event.pos.txid, this.#seen ?? this.#now() - event.milliseconds)
        break
      case 'resynced':
        // Without a difference there was no file, and no commit.
        if (event.changedPages === 0) this.#seen = undefined
        else this.found(event.pos.txid, this.#seen ?? this.#now() - event.milliseconds)
        break
      case 'snapshot-started': {
        // It stands for everything before it, which the replica lacks until it is there.
        const [oldest] = this.#captured
        this.#captured.length = 0
        this.found(event.txid, oldest?.since ?? this.#seen ?? this.#now())
        break
      }
      case 'uploaded':
      case 'snapshotted':
        this.acknowledged(event.file.maxTXID)
        break
      case 'state':
        if (event.to === 'fenced') this.#fenced = true
        if (event.to === 'fenced' || event.to === 'failed') this.doubtful()
        break
      default:
        break
    }
  }

  /** Milliseconds since the epoch; undefined when the replica lacks nothing. */
  get since(): number | undefined {
    const times = [this.#captured[0]?.since, this.#seen, this.#doubt].filter((time) => time !== undefined)
    return times.length === 0 ? undefined : Math.min(...times)
  }
}
