import { writeUint32 } from './big-endian.ts'
import { type Checksum, joinChecksum } from './checksum.ts'
import { foldBytes, foldFewBytes } from './kernel/crc64.ts'
import { shiftByTable, shiftBytes } from './kernel/shift.ts'
import type { Page } from './page-size.ts'

/** The CRC of a raw state. */
export function finishCrc(state: Int32Array): bigint {
  return BigInt.asUintN(64, ~join(state))
}

/** Advances a raw state by `length` bytes that are known by their CRC only. */
export function appendCrc(state: Int32Array, crc: bigint, length: number): void {
  state.set(split(~crc64Combine(finishCrc(state), crc, length)))
}

function split(value: bigint): Int32Array {
  return new Int32Array([Number(BigInt.asIntN(32, value)), Number(BigInt.asIntN(32, value >> 32n))])
}

function join(words: Int32Array): bigint {
  return (BigInt(words[1]! >>> 0) << 32n) | BigInt(words[0]! >>> 0)
}

/** CRC-64/GO-ISO over bytes that come in pieces. */
export class Crc64 {
  readonly #state: Int32Array = new Int32Array([-1, -1])

  update(bytes: Uint8Array): void {
    foldBytes(this.#state, bytes)
  }

  /** Adds bytes start..end-1, which should be few. */
  updateFew(bytes: Uint8Array, start: number, end: number): void {
    foldFewBytes(this.#state, bytes, start, end)
  }

  /** Adds data that is known by its raw state alone, started at zero (low, high); `table` is the shiftTable of its length. */
  appendRaw(low: number, high: number, table: Int32Array): void {
    const state = this.#state
    shiftByTable(state, table)
    state[0]! ^= low
    state[1]! ^= high
  }

  /** The CRC so far, without LTX's flag bit; more bytes may follow. */
  digest(): bigint {
    return finishCrc(this.#state)
  }

  /** The CRC so far with LTX's flag bit set. */
  checksum(): Checksum {
    return joinChecksum(~this.#state[0]!, ~this.#state[1]!)
  }
}

/**
 * CRC-64/GO-ISO (polynomial 0x1b reflected, all ones in and out; of '123456789' it is b90956c775a41001). `seed` is the CRC of
 * what came before (default 0n: nothing). LTX's flag bit is not set here.
 */
export function crc64(data: Uint8Array, seed = 0n): bigint {
  const state = split(~seed)
  foldBytes(state, data)
  return finishCrc(state)
}

/** The CRC of A followed by B from crc64(A), crc64(B) and B's length in bytes (a safe integer). */
export function crc64Combine(a: bigint, b: bigint, lengthB: number): bigint {
  if (!Number.isSafeInteger(lengthB) || lengthB < 0)
    throw new RangeError(`length ${lengthB} is no safe integer`)
  return join(shiftBytes(split(a), lengthB)) ^ BigInt.asUintN(64, b)
}

/** Checksum of one page: CRC of its number (4 bytes, big-endian) and data, flag bit set. */
export function checksumPage(page: Page): Checksum {
  const pgno = new Uint8Array(4)
  writeUint32(pgno, 0, page.pgno)
  const state = new Int32Array([-1, -1])
  foldFewBytes(state, pgno, 0, 4)
  foldBytes(state, page.data)
  return joinChecksum(~state[0]!, ~state[1]!)
}
