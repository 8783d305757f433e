import { LTXError } from '../errors.ts'
import { FRAME_HEADER_SIZE } from '../frame.ts'
import { createKernel, type PageKernel } from '../kernel/page-kernel.ts'
import { Block, type BlockShape } from './block.ts'

/** What to do with a block. */
export type KernelJob =
  | {
      readonly kind: 'decode'
      /** Whole frames with size prefix, from the start of `frames`. */
      readonly bytes: number
      /** Whether anybody wants `pages`; their checksums are made anyway. */
      readonly wantPages: boolean
    }
  | {
      readonly kind: 'encode'
      /** Pages, from the start of `pages` and `pgnos`. */
      readonly count: number
      /** Make `pageSums`. */
      readonly track: boolean
    }

/** A job as it is posted to a worker. The buffer changes hands. */
export interface KernelRequest {
  readonly job: KernelJob
  readonly shape: BlockShape
  readonly buffer: ArrayBuffer
}

/** What a worker posts back, with the buffer. */
export interface KernelReply {
  readonly buffer: ArrayBuffer
  readonly outcome: JobOutcome
}

/** What was made of a block. */
export interface JobOutcome {
  /** False for frames that do not decode: whoever sent them decodes them again and so learns why. The rest is 0 then. */
  readonly ok: boolean
  readonly count: number
  /** Bytes in `frames`. */
  readonly bytes: number
  /** CRC-64 of what these pages add to a file checksum, and how many bytes that are: for PageKernel.append. */
  readonly crc: bigint
  readonly hashed: number
}

/**
 * Makes the function that a worker answers requests with. It keeps one kernel, of the shape asked for last. Throws what is
 * wrong with a request: RangeError.
 *
 * A browser's worker is just this:
 *
 *     const answer = createJobRunner()
 *     onmessage = ({ data }) => { const reply = answer(data); postMessage(reply, [reply.buffer]) }
 */
export function createJobRunner(): (request: KernelRequest) => KernelReply {
  let kernel: PageKernel | undefined
  return ({ job, shape, buffer }) => {
    const { pageSize, capacity } = shape
    if (kernel?.pageSize !== pageSize || kernel.capacity !== capacity) {
      kernel = createKernel({ pageSize, batchBytes: capacity * pageSize })
    }
    kernel.reset()
    const block = new Block(shape, buffer)
    return {
      buffer,
      outcome: job.kind === 'decode' ? decode(kernel, block, job) : encode(kernel, block, job),
    }
  }
}

function decode(kernel: PageKernel, block: Block, job: KernelJob & { readonly kind: 'decode' }): JobOutcome {
  const { bytes } = job
  kernel.frames.set(block.frames.subarray(0, bytes))
  try {
    const { pages: count, consumed, hashed } = kernel.decode(bytes, kernel.capacity, true)
    if (consumed !== bytes) return REFUSED
    if (job.wantPages) block.pages.set(kernel.pages.subarray(0, count * kernel.pageSize))
    block.pgnos.set(kernel.pgnos.subarray(0, count))
    block.frameSizes.set(kernel.frameSizes.subarray(0, count))
    block.pageSums.set(kernel.pageSums.subarray(0, 2 * count))
    return { ok: true, count, bytes, crc: kernel.digest(), hashed }
  } catch (error) {
    if (error instanceof LTXError) return REFUSED
    throw error
  }
}

const REFUSED: JobOutcome = { ok: false, count: 0, bytes: 0, crc: 0n, hashed: 0 }

function encode(kernel: PageKernel, block: Block, job: KernelJob & { readonly kind: 'encode' }): JobOutcome {
  const { count, track } = job
  kernel.pages.set(block.pages.subarray(0, count * kernel.pageSize))
  kernel.pgnos.set(block.pgnos.subarray(0, count))
  const bytes = kernel.encode(count, track)
  block.frames.set(kernel.frames.subarray(0, bytes))
  block.frameSizes.set(kernel.frameSizes.subarray(0, count))
  if (track) block.pageSums.set(kernel.pageSums.subarray(0, 2 * count))
  const hashed = count * (FRAME_HEADER_SIZE + kernel.pageSize)
  return { ok: true, count, bytes, crc: kernel.digest(), hashed }
}
