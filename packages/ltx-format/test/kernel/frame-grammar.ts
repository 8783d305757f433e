import { BlockGrammar } from './block-grammar.ts'
import type { Random } from './random.ts'

/** An LZ4 frame of independent blocks up to 64 KiB without checksums of its content: magic number and descriptor. */
export const OLD_PAGE_START: readonly number[] = [0x04, 0x22, 0x4d, 0x18, 0x60, 0x40, 0x82]

/** Puts blocks of the grammar into page frames: one to three of them, with sizes that are true in most cases. */
export class FrameGrammar {
  /** The frames are bytes[0, length). */
  readonly bytes: Uint8Array
  length = 0
  /** How many of the bytes a kernel should be told of. */
  available = 0
  maxPages = 0
  readonly #random: Random
  readonly #block: BlockGrammar
  readonly #pageSize: number

  constructor(random: Random, pageSize: number) {
    this.#random = random
    this.#block = new BlockGrammar(random, pageSize)
    this.#pageSize = pageSize
    this.bytes = new Uint8Array(4 * this.#block.bytes.byteLength)
  }

  /** Frames for at most `slots` pages that fit `room` bytes; what does not fit is cut off. */
  build(slots: number, room: number): void {
    const random = this.#random
    this.length = 0
    const frames = Math.min(slots, 1 + (random.oneIn(3) ? 1 : 0) + (random.oneIn(6) ? 1 : 0))
    const wild = random.below(frames)
    for (let i = 0; i < frames; i++) {
      if (i === wild || random.oneIn(3)) this.#block.build(this.#pageSize)
      else this.#block.buildRight(this.#pageSize)
      if (random.oneIn(25) && this.#block.length > 0 && this.#block.length <= 65536) this.#oldPage()
      else this.#page(i === wild)
    }
    if (random.oneIn(3)) this.#push(0, 0, 0, 0, 0, 0)
    if (random.oneIn(4)) for (let i = random.below(20); i > 0; i--) this.#push(random.below(256))
    this.length = Math.min(this.length, room)
    this.available = random.oneIn(12) ? random.below(this.length + 1) : this.length
    this.maxPages = random.oneIn(12) ? random.below(slots + 1) : slots
  }

  #page(wild: boolean): void {
    const random = this.#random
    const lie = wild && random.oneIn(20)
    this.#number(wild && random.oneIn(60) ? 0 : random.oneIn(2) ? random.word() : 1 + random.below(200))
    const flags = wild && random.oneIn(60) ? random.pick([2, 3, 0x100, 0x101, 0x8001, 0xffff]) : 1
    this.#push(flags >>> 8, flags & 255)
    this.#number(lie ? this.#falseSize() : this.#block.length)
    this.#blockBytes()
    // A block that claims to be longer than it is takes what follows; it should be there now and then.
    if (lie && random.oneIn(2)) for (let i = random.below(900); i > 0; i--) this.#push(random.below(256))
  }

  #falseSize(): number {
    const random = this.#random
    const size = this.#block.length
    const bound = this.#pageSize + Math.floor(this.#pageSize / 255) + 16
    return Math.max(
      0,
      random.pick([
        size - 1,
        size + 1,
        size - random.below(20),
        size + random.below(20),
        bound,
        bound + 1,
        0,
        2 ** 31,
        2 ** 32 - 1,
      ]),
    )
  }

  #oldPage(): void {
    this.#number(1 + this.#random.below(200))
    this.#push(0, 0, ...OLD_PAGE_START)
    const size = this.#block.length
    this.#push(size & 255, (size >>> 8) & 255, size >>> 16, 0)
    this.#blockBytes()
    this.#push(0, 0, 0, 0)
  }

  #blockBytes(): void {
    const { bytes, length } = this.#block
    for (let i = 0; i < length; i++) this.bytes[this.length + i] = bytes[i]!
    this.length += length
  }

  #number(value: number): void {
    this.#push(value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255)
  }

  #push(...values: readonly number[]): void {
    for (const value of values) this.bytes[this.length++] = value
  }
}
