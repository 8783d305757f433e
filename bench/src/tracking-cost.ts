import { createKernel, type PageKernel } from '@sqlstream/ltx'
import { BATCH_PAGES, BATCH_SIZE, PAGE_SIZE } from './page-codec.ts'

/** How much longer encode and decode take with page checksums than without: 0.01 is one per cent. */
export interface TrackingCost {
  readonly encode: number
  readonly decode: number
}

/**
 * Both ways by turns on the same batches in the same memory. A few per cent are asked about, so each batch counts with its
 * shortest time of all rounds.
 */
export function trackingCost(pages: Uint8Array, rounds: number): TrackingCost {
  const kernel = createKernel({ pageSize: PAGE_SIZE, batchBytes: BATCH_SIZE, backend: 'wasm' })
  const count = pages.length / BATCH_SIZE
  const shortest = { encode: bothWays(count), decode: bothWays(count) }
  for (let i = 0; i < BATCH_PAGES; i++) kernel.pgnos[i] = i + 1
  for (let round = 0; round < rounds; round++) {
    for (let batch = 0; batch < count; batch++) {
      kernel.pages.set(pages.subarray(batch * BATCH_SIZE, (batch + 1) * BATCH_SIZE))
      const size = kernel.encode(BATCH_PAGES, true)
      for (const track of [round % 2 === 0, round % 2 > 0]) {
        const encode = timed(kernel, () => kernel.encode(BATCH_PAGES, track))
        const decode = timed(kernel, () => kernel.decode(size, BATCH_PAGES, track))
        keep(shortest.encode, track, batch, encode)
        keep(shortest.decode, track, batch, decode)
      }
    }
  }
  return { encode: cost(shortest.encode), decode: cost(shortest.decode) }
}

/** Of each batch the shortest time, with page checksums and without. */
interface Shortest {
  readonly tracked: Float64Array
  readonly untracked: Float64Array
}

function bothWays(count: number): Shortest {
  const never = (): Float64Array => new Float64Array(count).fill(Number.POSITIVE_INFINITY)
  return { tracked: never(), untracked: never() }
}

function timed(kernel: PageKernel, work: () => unknown): number {
  kernel.reset()
  const started = performance.now()
  work()
  return performance.now() - started
}

function keep({ tracked, untracked }: Shortest, track: boolean, batch: number, time: number): void {
  const times = track ? tracked : untracked
  times[batch] = Math.min(times[batch]!, time)
}

function cost({ tracked, untracked }: Shortest): number {
  return sum(tracked) / sum(untracked) - 1
}

function sum(times: Float64Array): number {
  return times.reduce((total, time) => total + time, 0)
}
