import { readUint32 } from '../big-endian.ts'
import { FRAME_HEADER_SIZE, PAGE_FLAG_SIZE } from '../frame.ts'
import { compressBound } from '../kernel/lz4-compress.ts'

/** Finds where frames with size prefix end, from their headers alone. */
export class FrameWalk {
  readonly #frames: Uint8Array
  readonly #longest: number
  /** Whole frames so far, and where they end. */
  count = 0
  end = 0
  /** The next one is something else: the end mark, an old page without size, or damaged. */
  odd = false

  constructor(frames: Uint8Array, pageSize: number) {
    this.#frames = frames
    this.#longest = compressBound(pageSize)
  }

  /** Goes on over whole frames before `available`, until there are `most` in all. */
  advance(available: number, most: number): void {
    const frames = this.#frames
    while (this.count < most && !this.odd && this.end + FRAME_HEADER_SIZE <= available) {
      const at = this.end
      const size = readUint32(frames, at + 6)
      this.odd =
        readUint32(frames, at) === 0 ||
        frames[at + 4] !== 0 ||
        frames[at + 5] !== PAGE_FLAG_SIZE ||
        size > this.#longest
      if (this.odd || at + FRAME_HEADER_SIZE + size > available) return
      this.end = at + FRAME_HEADER_SIZE + size
      this.count++
    }
  }
}
