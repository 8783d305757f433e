import type { StreamReader } from '../byte-stream.ts'
import type { FrameSource } from '../frame-source.ts'
import type { PageKernel } from '../kernel/page-kernel.ts'
import type { Block } from './block.ts'
import type { JobOutcome, KernelJob } from './job.ts'

/** A block that came back, and what was made of it. */
export interface DoneBlock extends JobOutcome {
  /** Has the memory of the block that was handed over, whose own views are empty now. */
  readonly block: Block
}

/** Kernels in other threads. Several files may use one pool at a time. */
export interface KernelPool {
  /** Jobs that are worked on at a time, at least 1. More may be waiting. */
  readonly size: number
  /**
   * Hands the block over until the promise settles. Rejects with the signal's reason as soon as it aborts, with an Error if
   * the worker dies or the pool is closed; the block is lost then. Jobs may end in any order.
   */
  run(
    job: KernelJob,
    block: Block,
    options?: { readonly signal?: AbortSignal | undefined },
  ): Promise<DoneBlock>
  /**
   * For Decoder: the frames that begin at `offset` in a file, decoded by this pool. The kernel has hashed what is before them
   * and goes along. It is the pool that makes this, so that who has none does not carry its code.
   */
  frames(
    kernel: PageKernel,
    reader: StreamReader,
    offset: number,
    options?: { readonly signal?: AbortSignal | undefined },
  ): FrameSource
  /** Ends all workers; what runs or waits is rejected. Harmless when closed. */
  close(): Promise<void>
}
