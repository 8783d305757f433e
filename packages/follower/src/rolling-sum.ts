import { type Checksum, toChecksum } from '@sqlstream/ltx'

const FLAG = 0x8000_0000

/** The rolling database checksum: the XOR of the checksums of all pages, which are put in and taken out in the same way. */
export class RollingSum {
  #low: number
  #high: number

  constructor(start: Checksum) {
    this.#low = Number(BigInt.asUintN(32, start))
    this.#high = Number(start >> 32n)
  }

  /** Puts a page's checksum in, or takes it out. */
  toggle(low: number, high: number): void {
    this.#low ^= low
    this.#high ^= high
  }

  /** Bit 63 set, as LTX stores it. */
  get value(): Checksum {
    return toChecksum((BigInt((this.#high | FLAG) >>> 0) << 32n) | BigInt(this.#low >>> 0))
  }
}
