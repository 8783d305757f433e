import type { WALIndexHeader } from '@sqlstream/wal'
import { describe, expect, it } from 'vitest'
import { type CheckpointContext, CheckpointCycle } from '../src/checkpoint-cycle.ts'
import { Serial } from '../src/serial.ts'

const PAGE_SIZE = 4096
const LARGE = (36 << 20) / PAGE_SIZE

/** A cycle over a WAL of so many frames, with all around it made up. */
class Workshop {
  /** Barriers so far. */
  holds = 0
  /** Looks at the wal-index so far. */
  looks = 0
  /** When the copy under way ends. */
  copied: Promise<void> = Promise.resolve()
  /** A reader keeps every frame from being copied. */
  blocked = false
  readonly cycle: CheckpointCycle
  readonly #index: { -readonly [K in 'mxFrame' | 'backfill']: WALIndexHeader[K] }

  constructor(frames: number) {
    this.#index = { mxFrame: frames, backfill: 0 }
    const context = {
      files: { path: 'app.db', index: () => this.#look() },
      holder: { move: async () => undefined },
      barrier: { hold: (work: () => Promise<void>) => this.#hold(work) },
      checkpointer: { run: () => this.#copy() },
      serial: new Serial(),
      capture: async () => undefined,
      emit: () => undefined,
      pageSize: PAGE_SIZE,
      thresholdFrames: 1000,
    }
    this.cycle = new CheckpointCycle(context as unknown as CheckpointContext)
  }

  #look(): object {
    this.looks++
    return { ...this.#index }
  }

  /** Its time ends before the work does, as it does on a slow disk. */
  async #hold(work: () => Promise<void>): Promise<number> {
    this.holds++
    await Promise.race([work(), new Promise((resolve) => setTimeout(resolve, 2))])
    return 2
  }

  async #copy(): Promise<object> {
    await this.copied
    if (!this.blocked) this.#index.backfill = this.#index.mxFrame
    return { busy: false, log: 0, checkpointed: 0, heldMs: 0 }
  }
}

describe('a cycle while writers outrun the disk', () => {
  it('P5: keeps them out again and again, a barrier at a time, until a large WAL is copied', async () => {
    const shop = new Workshop(LARGE)
    const { promise, resolve } = Promise.withResolvers<void>()
    shop.copied = promise
    const running = shop.cycle.run(true)
    await expect.poll(() => shop.holds).toBeGreaterThan(4)
    resolve()
    await running
  })

  it('P5: leaves them alone while a small one is copied', async () => {
    const shop = new Workshop(900)
    const { promise, resolve } = Promise.withResolvers<void>()
    shop.copied = promise
    const running = shop.cycle.run(true)
    await expect.poll(() => shop.looks).toBeGreaterThan(6)
    resolve()
    await running
    expect(shop.holds).toBe(0)
  })

  it('P5: leaves them alone when a reader keeps a large one from being copied', async () => {
    const shop = new Workshop(LARGE)
    shop.blocked = true
    await shop.cycle.run(false)
    const { promise, resolve } = Promise.withResolvers<void>()
    shop.copied = promise
    const [holds, looks] = [shop.holds, shop.looks]
    const running = shop.cycle.run(false)
    await expect.poll(() => shop.looks).toBeGreaterThan(looks + 6)
    // The one that every round begins with.
    expect(shop.holds).toBe(holds + 1)
    resolve()
    await running
  })
})
