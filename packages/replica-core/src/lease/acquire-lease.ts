import { hostname } from 'node:os'
import type { BlobStore } from '@sqlstream/storage'
import { PrimaryError } from '../errors.ts'
import { type LeaseClock, SYSTEM_CLOCK } from './clock.ts'
import { HeldLease, type HolderOptions } from './held-lease.ts'
import { type FoundLease, readLease } from './lease-object.ts'
import { planLease, type Watched } from './plan-lease.ts'
import type { LeaseRecord } from './record.ts'

/** Options of `acquireLease`. */
export interface AcquireOptions {
  /** See `LeaseRecord.place`. */
  readonly place: string
  /** Default: host name and process id. */
  readonly owner?: string | undefined
  /** Milliseconds from 100. Default 30,000. */
  readonly ttlMs?: number | undefined
  /**
   * What to do while another writer holds it: `forever` waits for its end; `if-silent` waits for as long as it shows no life,
   * its time to live at most; `no` does not wait at all. Default `if-silent`.
   */
  readonly wait?: LeaseWait | undefined
  /** Called when the wait begins, and whenever the holder has renewed its lease meanwhile. */
  readonly onWait?: ((holder: LeaseRecord) => void) | undefined
  readonly signal?: AbortSignal | undefined
  readonly clock?: LeaseClock | undefined
}

/** See `AcquireOptions.wait`. */
export type LeaseWait = 'forever' | 'if-silent' | 'no'

export const DEFAULT_TTL_MS = 30_000

/**
 * Acquires the lease of a replica: at once when nobody holds it, else when its holder has not renewed it for its whole time to
 * live while we watched. The epoch is one more than the last.
 *
 * @throws PrimaryError `lease-held` by whom and until when, ReplicaError `corrupt`, the store's errors
 */
export async function acquireLease(store: BlobStore, options: AcquireOptions): Promise<HeldLease> {
  const { signal, wait = 'if-silent', clock = SYSTEM_CLOCK } = options
  const holder = holderOptions(options, clock)
  let seen: { readonly found: FoundLease; readonly at: number } | undefined
  for (;;) {
    signal?.throwIfAborted()
    // Unchanged from after the reading that saw it first to before the one that saw it last: never counted too long.
    const asked = clock.monotonic()
    const found = await readLease(store, { signal })
    if (found !== undefined && found.etag !== seen?.found.etag) {
      const showsLife = seen !== undefined && found.record.state === 'held'
      if (showsLife && wait === 'if-silent') throw held(found.record)
      seen = { found, at: clock.monotonic() }
    }
    const watched: Watched | undefined = seen && {
      etag: seen.found.etag,
      unchangedMs: Math.max(0, asked - seen.at),
    }
    const plan = planLease(found, options.place, watched)
    if (plan.kind === 'take') {
      const lease = await HeldLease.take(store, holder, plan, found, signal)
      if (lease !== undefined) return lease
      // Somebody else was quicker: look who it is.
      continue
    }
    if (wait === 'no') throw held(found!.record)
    if (watched?.unchangedMs === 0) options.onWait?.(found!.record)
    await clock.sleep(Math.max(1, Math.min(plan.leftMs, found!.record.ttlMs / 10)), signal)
  }
}

function holderOptions(options: AcquireOptions, clock: LeaseClock): HolderOptions {
  const { place, owner = `${hostname()} pid ${process.pid}`, ttlMs = DEFAULT_TTL_MS } = options
  if (!Number.isSafeInteger(ttlMs) || ttlMs < 100)
    throw new RangeError(`ttlMs ${ttlMs} is not an integer from 100`)
  return { place, owner, ttlMs, clock }
}

function held(record: LeaseRecord): PrimaryError {
  const until = `${record.expires} unless it renews`
  return new PrimaryError('lease-held', `this replica is held by ${record.owner} until ${until}`, {
    hint: 'Two writers would mix their histories. Stop the other one, wait for its end with --wait, or, if you know that it is dead, run `sqlstream lease steal`.',
  })
}
