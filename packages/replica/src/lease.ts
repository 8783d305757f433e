import type { TXID } from '@sqlstream/ltx'
import type { AbortOptions } from './replica.ts'

declare const brand: unique symbol

/** Fencing token: grows with every change of writer, never reused. */
export type Epoch = bigint & { readonly [brand]: 'Epoch' }

/** The right to change a replica. */
export interface Lease {
  /** Who writes, for people: host, process, deploy. */
  readonly owner: string
  readonly epoch: Epoch
  /** Aborts once the lease is lost: another writer has it, and it never comes back. */
  readonly signal: AbortSignal
  /**
   * Does one piece of work that changes the replica, and only while the lease is certainly held: renews it first if its time is
   * over, and again and again while the work goes on. The work's signal aborts when the caller's does, when the lease is lost,
   * and when it could not be renewed in time.
   * @throws ReplicaError `fenced` when the lease is lost
   * @throws StorageError transient, when it could not be renewed: the work may be repeated
   */
  during<T>(
    work: (signal: AbortSignal) => Promise<T>,
    options?: AbortOptions & {
      /** The work appends a file to the newest history. Default false. */
      readonly appends?: boolean | undefined
    },
  ): Promise<T>
  /**
   * Says, before a whole image of the database is sent under a TXID that no file has yet, that it may arrive: unlike other files
   * it collides with nothing that the next writer puts, so that one must know.
   * @throws as `during`
   */
  announceBase(txid: TXID, options?: AbortOptions): Promise<void>
  /**
   * Asks the store whether the lease is still held, and renews it.
   * @throws as `during`
   */
  renew(options?: AbortOptions): Promise<void>
}

/**
 * A lease by promise: the caller guarantees that nobody else writes this replica. It has epoch 0 and is never lost.
 * Create-only puts still stop a second writer at the first object that both want to create.
 */
export function assumeSoleWriter(owner: string): Lease {
  const { signal } = new AbortController()
  return {
    owner,
    epoch: 0n as Epoch,
    signal,
    during: async (work, options) => work(options?.signal ?? signal),
    announceBase: async () => {},
    renew: async () => {},
  }
}
