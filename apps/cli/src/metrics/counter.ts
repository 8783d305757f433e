import type { Labels, Sample } from './exposition.ts'

/** A number for each combination of labels, which only grows. */
export class Counter {
  readonly #values = new Map<string, { readonly labels: Labels; value: number }>()

  /** @param labels always with the same names, in the same order */
  add(labels: Labels, by = 1): void {
    const key = JSON.stringify(labels)
    const known = this.#values.get(key)
    if (known === undefined) this.#values.set(key, { labels, value: by })
    else known.value += by
  }

  samples(): Sample[] {
    return [...this.#values.values()].map(({ labels, value }) => ({ labels, value }))
  }
}

/** How often a value was at most this and that. */
export class Histogram {
  readonly #bounds: readonly number[]
  readonly #counts: number[]
  #sum = 0
  #count = 0

  /** @param bounds ascending; above the last one there is one more bucket */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds
    this.#counts = bounds.map(() => 0)
  }

  observe(value: number): void {
    this.#sum += value
    this.#count++
    const at = this.#bounds.findIndex((bound) => value <= bound)
    if (at >= 0) this.#counts[at] = (this.#counts[at] ?? 0) + 1
  }

  /** @param labels beside `le` */
  samples(labels: Labels = {}): Sample[] {
    let below = 0
    const buckets = this.#bounds.map((bound, i): Sample => {
      below += this.#counts[i] ?? 0
      return { suffix: '_bucket', labels: { ...labels, le: String(bound) }, value: below }
    })
    return [
      ...buckets,
      { suffix: '_bucket', labels: { ...labels, le: '+Inf' }, value: this.#count },
      { suffix: '_sum', labels, value: this.#sum },
      { suffix: '_count', labels, value: this.#count },
    ]
  }
}
