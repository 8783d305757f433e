import type { ReplicaEvents } from './options.ts'

type Sets = { readonly [E in keyof ReplicaEvents]: Set<(value: ReplicaEvents[E]) => void> }

/** Who listens to a replica. */
export class Listeners {
  readonly #sets: Sets = { advance: new Set(), hydrated: new Set(), error: new Set() }

  add<E extends keyof ReplicaEvents>(event: E, listener: (value: ReplicaEvents[E]) => void): void {
    this.#sets[event].add(listener)
  }

  remove<E extends keyof ReplicaEvents>(event: E, listener: (value: ReplicaEvents[E]) => void): void {
    this.#sets[event].delete(listener)
  }

  tell<E extends keyof ReplicaEvents>(event: E, value: ReplicaEvents[E]): void {
    for (const listener of this.#sets[event]) listener(value)
  }
}
