import { hostname } from 'node:os'
import { assumeSoleWriter, type Lease } from '@sqlstream/replica'
import { type BlobStore, probeConditionalPut } from '@sqlstream/storage'
import { PrimaryError } from '../errors.ts'
import type { PrimaryListener } from '../events.ts'
import { placeOf } from '../state/place.ts'
import type { StateFolder } from '../state/state-folder.ts'
import { acquireLease, type LeaseWait } from './acquire-lease.ts'
import { HeldLease } from './held-lease.ts'
import type { LeaseRecord } from './record.ts'

const RETURN_LIMIT_MS = 5000

/** How a primary gets the right to write. */
export interface LeaseOptions {
  /**
   * The operator promises that nothing else writes this replica: no lease is taken. Needed for stores that cannot put on a
   * condition. Default false.
   */
  readonly soleWriter?: boolean | undefined
  /** Who writes, for people. Default: host name and process id. */
  readonly owner?: string | undefined
  /** How long a writer that shows no life keeps others out. Milliseconds from 100, default 30,000. */
  readonly ttlMs?: number | undefined
  /** What to do while another writer holds it. Default `if-silent`: take over if it shows no life for its time to live. */
  readonly wait?: LeaseWait | undefined
}

/** What obtaining a lease works with. */
export interface ObtainContext {
  readonly store: BlobStore
  /** Locked by this process. */
  readonly folder: StateFolder
  readonly emit: PrimaryListener
  readonly signal?: AbortSignal | undefined
  /** Makes sure that the store keeps two writers apart. Default: by a probe. */
  readonly assertLeases?: typeof assertLeases | undefined
}

/**
 * The right to write a replica, as the options say.
 * @throws PrimaryError `lease-held`, `lease-unsupported`; ReplicaError `corrupt`; the store's errors
 */
export async function obtainLease(context: ObtainContext, options: LeaseOptions = {}): Promise<Lease> {
  const { store, folder, emit, signal } = context
  const { soleWriter = false, owner, ttlMs, wait } = options
  if (soleWriter) return assumeSoleWriter(owner ?? `${hostname()} pid ${process.pid}`)
  await (context.assertLeases ?? assertLeases)(store, signal)
  const onWait = (holder: LeaseRecord): void => {
    const { owner, epoch, expires, ttlMs } = holder
    emit({ type: 'lease', state: 'waiting', owner, epoch, expires, ttlMs })
  }
  const lease = await acquireLease(store, { place: placeOf(folder), owner, ttlMs, wait, onWait, signal })
  const { record } = lease
  emit({
    type: 'lease',
    state: 'acquired',
    owner: record.owner,
    epoch: record.epoch,
    expires: record.expires,
    ttlMs: record.ttlMs,
  })
  return lease
}

/**
 * Makes sure that a store keeps two writers apart.
 * @throws PrimaryError `lease-unsupported`; the store's errors
 */
export async function assertLeases(store: BlobStore, signal?: AbortSignal): Promise<void> {
  if (!store.capabilities.conditionalPut)
    throw unsupported(`${store.driver} stores cannot put on a condition`)
  const report = await probeConditionalPut(store, { signal })
  if (!report.honoured) throw unsupported(report.findings.join('; '))
}

/** Gives a lease back where it is one of the store. A failure is no harm: it ends by itself. */
export async function returnLease(lease: Lease, signal?: AbortSignal): Promise<void> {
  if (lease instanceof HeldLease) await lease.release({ signal }).catch(() => undefined)
}

/** At the end of the work under it: gives up when the store does not answer in time. */
export function returnLeaseInTime(lease: Lease): Promise<void> {
  return returnLease(lease, AbortSignal.timeout(RETURN_LIMIT_MS))
}

function unsupported(why: string): PrimaryError {
  return new PrimaryError('lease-unsupported', `two writers cannot be kept apart here: ${why}`, {
    hint: 'If you make sure that only one process ever writes this replica, say so: lease soleWriter (--sole-writer).',
  })
}
