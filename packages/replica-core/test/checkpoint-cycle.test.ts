import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { type CheckpointContext, CheckpointCycle } from '../src/checkpoint-cycle.ts'
import type { PrimaryEvent } from '../src/events.ts'
import { Serial } from '../src/serial.ts'

/** A WAL that a fake application writes to, and what the cycle does with it. */
class FakeWAL {
  frames = 100
  backfill = 0
  captured = 0
  /** Frames that the application adds while a checkpoint runs without the barrier. */
  adds = 0
  /** Whether writers leave the lock free. */
  barrierFree = true
  barrierMs = 7
  captureFails = false
  raised = false
  readonly done: string[] = []
  readonly events: PrimaryEvent[] = []
  readonly serial = new Serial()
  readonly #checkpoint: (() => Promise<void>) | undefined

  constructor(checkpoint?: () => Promise<void>) {
    this.#checkpoint = checkpoint
  }

  get context(): CheckpointContext {
    const capture = async (): Promise<void> => {
      if (this.captureFails) throw new Error('disk full')
      this.captured = this.frames
    }
    return {
      files: { path: '/app.db', index: () => ({ mxFrame: this.frames, backfill: this.backfill }) },
      holder: {
        move: async (captureInside: () => Promise<void>) => {
          await captureInside()
          this.done.push('move')
        },
      },
      barrier: {
        hold: async (work: () => Promise<void>) => {
          if (!this.barrierFree) return undefined
          this.done.push('raise')
          this.raised = true
          try {
            await work()
          } finally {
            this.raised = false
            this.done.push('lower')
          }
          return this.barrierMs
        },
      },
      checkpointer: {
        run: async () => {
          this.done.push('copy')
          await this.#checkpoint?.()
          this.backfill = this.captured
          if (!this.raised) this.frames += this.adds
          return { busy: false, log: this.frames, checkpointed: this.backfill, heldMs: 0 }
        },
      },
      serial: this.serial,
      capture,
      emit: (event: PrimaryEvent) => this.events.push(event),
      pageSize: 4096,
      thresholdFrames: 1000,
      maxBarrierMs: 50,
    } as unknown as CheckpointContext
  }
}

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['performance'] })
})
afterEach(() => vi.useRealTimers())

describe('a checkpoint cycle', () => {
  it('keeps nobody out when nothing is committed meanwhile', async () => {
    const wal = new FakeWAL()
    await new CheckpointCycle(wal.context).run(true)
    expect(wal.done).toEqual(['move', 'copy', 'move'])
    expect(wal.events).toEqual([{ type: 'checkpointed', mode: 'passive', frames: 100, complete: true }])
  })

  it('P5: copies a short tail under the barrier, if it may', async () => {
    const wal = new FakeWAL()
    wal.adds = 10
    await new CheckpointCycle(wal.context).run(true)
    expect(wal.done).toEqual(['move', 'copy', 'raise', 'move', 'copy', 'move', 'lower'])
    expect(wal.events[0]).toEqual({
      type: 'checkpointed',
      mode: 'passive',
      frames: 110,
      barrierMs: 7,
      complete: true,
    })
  })

  it('P5: copies a long tail again without the barrier, a few times', async () => {
    const wal = new FakeWAL()
    wal.adds = 1600
    wal.barrierFree = false
    await new CheckpointCycle(wal.context).run(true)
    const copies = wal.done.filter((step) => step === 'copy').length
    expect(copies).toBeGreaterThan(1)
    expect(copies).toBeLessThanOrEqual(4)
    expect(wal.events[0]).toMatchObject({ complete: false })
  })

  it('without leave to keep writers out does not complete while they write', async () => {
    const wal = new FakeWAL()
    wal.adds = 10
    await new CheckpointCycle(wal.context).run(false)
    expect(wal.done).not.toContain('raise')
    expect(wal.events).toEqual([{ type: 'checkpointed', mode: 'passive', frames: 100, complete: false }])
  })

  it('goes without when writers never leave the lock free', async () => {
    const wal = new FakeWAL()
    wal.adds = 10
    wal.barrierFree = false
    await new CheckpointCycle(wal.context).run(true)
    expect(wal.events[0]).not.toHaveProperty('barrierMs')
    expect(wal.events[0]).toMatchObject({ complete: false })
  })

  it('runs once at a time: who comes meanwhile joins it', async () => {
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const wal = new FakeWAL(() => gate)
    const cycle = new CheckpointCycle(wal.context)
    expect(cycle.running).toBe(false)
    const both = [cycle.run(false), cycle.run(true)]
    expect(cycle.running).toBe(true)
    open()
    await Promise.all(both)
    expect(cycle.running).toBe(false)
    expect(wal.events).toHaveLength(1)
    await cycle.settled()
  })

  it('touches nothing any more once it is stopped', async () => {
    let open: () => void = () => undefined
    const gate = new Promise<void>((resolve) => {
      open = resolve
    })
    const wal = new FakeWAL(() => gate)
    const cycle = new CheckpointCycle(wal.context)
    const running = cycle.run(true)
    await expect.poll(() => wal.done).toContain('copy')
    const before = [...wal.done]
    cycle.stop()
    open()
    await running
    await cycle.run(true)
    expect(wal.done).toEqual(before)
    expect(wal.events).toEqual([])
  })

  it('K3: ends with the error of a capture that fails, and can be run again', async () => {
    const wal = new FakeWAL()
    wal.captureFails = true
    const cycle = new CheckpointCycle(wal.context)
    await expect(cycle.run(true)).rejects.toThrow('disk full')
    expect(wal.done).toEqual([])
    expect(cycle.running).toBe(false)
    wal.captureFails = false
    await cycle.run(true)
    expect(wal.events[0]).toMatchObject({ complete: true })
  })
})

describe('the threshold of the next cycle', () => {
  /** Runs one cycle a second whose barrier takes so long. */
  async function cycles(
    cycle: CheckpointCycle,
    wal: FakeWAL,
    barrierMs: number,
    count: number,
  ): Promise<void> {
    wal.barrierMs = barrierMs
    wal.adds = barrierMs > 0 ? 10 : 0
    for (let i = 0; i < count; i++) {
      vi.advanceTimersByTime(1000)
      wal.frames = 500
      wal.backfill = 0
      await cycle.run(true)
    }
  }

  it('P5: grows while barriers take more than a small part of the time, and comes back', async () => {
    const wal = new FakeWAL()
    const cycle = new CheckpointCycle(wal.context)
    expect(cycle.thresholdFrames).toBe(1000)
    await cycles(cycle, wal, 40, 1)
    expect(cycle.thresholdFrames).toBe(2000)
    await cycles(cycle, wal, 40, 10)
    expect(cycle.thresholdFrames).toBe(10_000)
    await cycles(cycle, wal, 15, 3)
    expect(cycle.thresholdFrames).toBe(10_000)
    await cycles(cycle, wal, 0, 20)
    expect(cycle.thresholdFrames).toBe(1000)
  })

  it('shrinks when the WAL grew large during a cycle', async () => {
    const wal = new FakeWAL()
    const cycle = new CheckpointCycle(wal.context)
    await cycles(cycle, wal, 40, 2)
    expect(cycle.thresholdFrames).toBe(4000)
    wal.barrierFree = false
    wal.frames = (49 << 20) / 4096
    await cycle.run(false)
    expect(cycle.thresholdFrames).toBe(2000)
  })
})
