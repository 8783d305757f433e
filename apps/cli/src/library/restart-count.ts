import type { RestartPolicy } from './options.ts'

const FIRST_MS = 100
const MOST_MS = 30_000
const STEADY_MS = 60_000
const FAILURES = 5

/** Counts the engines that died soon after they were started. */
export class RestartCount {
  readonly #steadyMs: number
  readonly #most: number
  #startedAt: number | undefined
  #attempts = 0
  #failures = 0

  constructor({ steadyMs = STEADY_MS, failures = FAILURES }: RestartPolicy = {}) {
    this.#steadyMs = steadyMs
    this.#most = failures
  }

  /** Quick ones in a row. */
  get failures(): number {
    return this.#failures
  }

  get isTooOften(): boolean {
    return this.#failures >= this.#most
  }

  started(): void {
    this.#startedAt = performance.now()
  }

  died(): void {
    const { isSteady } = this
    this.#startedAt = undefined
    this.#failures = isSteady ? 1 : this.#failures + 1
    if (isSteady) this.#attempts = 0
  }

  /** Which attempt the next one is, from 0. */
  next(): number {
    return this.#attempts++
  }

  reset(): void {
    this.#attempts = 0
    this.#failures = 0
  }

  private get isSteady(): boolean {
    return this.#startedAt !== undefined && performance.now() - this.#startedAt >= this.#steadyMs
  }
}

/** Milliseconds until the n-th attempt, from 0. */
export function nextDelay({ firstMs = FIRST_MS, mostMs = MOST_MS }: RestartPolicy = {}, n: number): number {
  return Math.min(firstMs * 2 ** Math.min(n, 30), mostMs)
}
