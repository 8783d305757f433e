declare const brand: unique symbol

/** Fencing token: grows with every change of writer, never reused. */
export type Epoch = bigint & { readonly [brand]: 'Epoch' }

/** The right to change a replica. Work under a lease stops when its signal aborts. */
export interface Lease {
  /** Who writes, for people: host, process, deploy. */
  readonly owner: string
  readonly epoch: Epoch
  /** Aborts once the lease is lost. */
  readonly signal: AbortSignal
}

/**
 * A lease by promise: the caller guarantees that nobody else writes this replica. It has epoch 0 and is never lost.
 * Create-only puts still stop a second writer at the first object that both want to create.
 */
export function assumeSoleWriter(owner: string): Lease {
  return { owner, epoch: 0n as Epoch, signal: new AbortController().signal }
}
