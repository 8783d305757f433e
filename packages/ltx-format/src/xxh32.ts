import { viewOf } from './big-endian.ts'

const P1 = -1640531535
const P2 = -2048144777
const P3 = -1028477379
const P4 = 668265263
const P5 = 374761393
/** Bytes that are taken in at once. */
const STRIPE = 16

function rotate(value: number, bits: number): number {
  return (value << bits) | (value >>> (32 - bits))
}

function round(accumulator: number, word: number): number {
  return Math.imul(rotate((accumulator + Math.imul(word, P2)) | 0, 13), P1)
}

/** xxHash32 with seed 0, as LZ4 frames use it, of bytes that come in portions. */
export class XXH32 {
  readonly #lanes = Int32Array.of(P1 + P2, P2, 0, -P1)
  #size = 0
  /** Bytes that do not fill a stripe yet: size modulo 16 of them. */
  readonly #rest = new Uint8Array(STRIPE)

  /** Takes in all of `bytes`. */
  update(bytes: Uint8Array): void {
    const size = bytes.byteLength
    const pending = this.#size % STRIPE
    this.#size += size
    let at = 0
    if (pending > 0) {
      at = Math.min(size, STRIPE - pending)
      this.#rest.set(bytes.subarray(0, at), pending)
      if (pending + at < STRIPE) return
      this.#stripes(this.#rest, 0, STRIPE)
    }
    const end = at + ((size - at) & -STRIPE)
    this.#stripes(bytes, at, end)
    this.#rest.set(bytes.subarray(end))
  }

  /** The hash of everything so far. */
  digest(): number {
    const size = this.#size
    const end = size % STRIPE
    const view = viewOf(this.#rest)
    let hash = P5
    if (size >= STRIPE) {
      const [a, b, c, d] = this.#lanes as unknown as [number, number, number, number]
      hash = rotate(a, 1) + rotate(b, 7) + rotate(c, 12) + rotate(d, 18)
    }
    hash = (hash + size) | 0
    let at = 0
    for (; at + 4 <= end; at += 4) {
      hash = Math.imul(rotate((hash + Math.imul(view.getInt32(at, true), P3)) | 0, 17), P4)
    }
    for (; at < end; at++) hash = Math.imul(rotate((hash + Math.imul(this.#rest[at]!, P5)) | 0, 11), P1)
    hash = Math.imul(hash ^ (hash >>> 15), P2)
    hash = Math.imul(hash ^ (hash >>> 13), P3)
    return (hash ^ (hash >>> 16)) >>> 0
  }

  #stripes(bytes: Uint8Array, from: number, to: number): void {
    const view = viewOf(bytes)
    const lanes = this.#lanes
    for (let at = from; at < to; at += 4) {
      const lane = ((at - from) >>> 2) & 3
      lanes[lane] = round(lanes[lane]!, view.getInt32(at, true))
    }
  }
}

/** The hash of bytes that are all there. */
export function xxh32(bytes: Uint8Array): number {
  const hash = new XXH32()
  hash.update(bytes)
  return hash.digest()
}
