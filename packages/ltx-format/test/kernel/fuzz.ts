import type { PageSize } from '@sqlstream/ltx'
import { Arena } from './arena.ts'
import { backends } from './backends.ts'
import { FrameGrammar } from './frame-grammar.ts'
import { Random } from './random.ts'
import { decodeFrames, type Expected } from './reference-frames.ts'

/** How many inputs came to what. */
export interface FuzzCounts {
  /** Every page of the input decoded. */
  decoded: number
  /** Refused, a page for its LZ4 block. */
  badBlock: number
  /** Refused, a page for its header. */
  badHeader: number
  /** Decoded as far as it goes: the last frame is not whole. */
  incomplete: number
}

/** What to run. */
export interface FuzzOptions {
  readonly inputs: number
  readonly seed: number
  readonly onProgress?: (done: number) => void
}

const SLOTS = 3
/** Inputs that share page size and generator. */
const ROUND = 500

/** Page sizes by how often they get a round. */
const SIZES: readonly PageSize[] = [
  ...Array.from({ length: 170 }, () => 512 as const),
  ...Array.from({ length: 18 }, () => 1024 as const),
  ...Array.from({ length: 6 }, () => 2048 as const),
  ...Array.from({ length: 3 }, () => 4096 as const),
  ...[8192, 16384, 32768, 65536].map((size) => size as PageSize),
]

/**
 * Decodes generated frames with both kernels, each in two memories of different garbage, and with the reference. Throws an Error with
 * everything needed to run the input again when any of them differs, or when a byte outside the windows has changed.
 */
export function fuzz({ inputs, seed, onProgress }: FuzzOptions): FuzzCounts {
  const counts: FuzzCounts = { decoded: 0, badBlock: 0, badHeader: 0, incomplete: 0 }
  const arenas = new Map<PageSize, Arena[]>()
  for (let done = 0; done < inputs; done += ROUND) {
    const random = new Random(seed + done)
    const pageSize = random.pick(SIZES)
    if (!arenas.has(pageSize)) {
      arenas.set(
        pageSize,
        backends.flatMap((backend) => [1, 2].map(() => new Arena(backend, pageSize, SLOTS, random))),
      )
    }
    fuzzRound(arenas.get(pageSize)!, Math.min(ROUND, inputs - done), seed + done, counts)
    onProgress?.(done + ROUND)
  }
  return counts
}

function fuzzRound(arenas: readonly Arena[], inputs: number, seed: number, counts: FuzzCounts): void {
  const { pageSize, frames } = arenas[0]!.kernel
  const random = new Random(seed ^ 0x5bd1_e995)
  const grammar = new FrameGrammar(random, pageSize)
  const room = frames.byteLength
  const pages = new Uint8Array(SLOTS * pageSize)
  for (let input = 0; input < inputs; input++) {
    grammar.build(SLOTS, room)
    const { bytes, length, available, maxPages } = grammar
    const track = random.oneIn(8)
    const expected = decodeFrames(bytes, available, maxPages, pageSize, room, pages)
    counts[verdict(expected, available, maxPages)]++
    for (const [i, arena] of arenas.entries()) {
      const problem = arena.decode(bytes, length, available, maxPages, track, expected, pages)
      if (problem === undefined) continue
      throw new Error(
        `${arena.kernel.backend} kernel, memory ${i % 2}: ${problem}. Pages of ${pageSize} bytes, round ${seed}, input ${input}, ` +
          `decode(${available}, ${maxPages}, ${track}) of ${Buffer.from(bytes.subarray(0, length)).toString('hex')}`,
      )
    }
  }
}

function verdict(expected: Expected, available: number, maxPages: number): keyof FuzzCounts {
  if (expected.refusedAt >= 0) return expected.begun >= 0 ? 'badBlock' : 'badHeader'
  return expected.end || expected.consumed === available || expected.pages === maxPages
    ? 'decoded'
    : 'incomplete'
}
