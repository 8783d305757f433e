import { type Checksum, formatChecksum, joinChecksum } from './checksum.ts'
import { LTXError } from './errors.ts'

/** Checksum of a database whose pages come in batches (FORMAT.md C3). */
export class DatabaseSum {
  #low = 0
  #high = 0

  /** Adds `count` pages of a kernel's pageSums, from the one at `first` on. */
  add(sums: Uint32Array, count: number, first = 0): void {
    for (let i = 2 * first; i < 2 * (first + count); i += 2) {
      this.#low ^= sums[i]!
      this.#high ^= sums[i + 1]!
    }
  }

  /** Throws LTXError 'checksum-mismatch' if a checksum is claimed that the pages do not have; `offset` is where. */
  expect(claimed: Checksum | undefined, offset?: number): void {
    const actual = joinChecksum(this.#low, this.#high)
    if (claimed !== undefined && claimed !== actual) throw mismatch('database', actual, claimed, offset)
  }
}

/** The error for a stored checksum that is wrong. */
export function mismatch(what: string, actual: Checksum, stored: Checksum, offset?: number): LTXError {
  const text = `${what} checksum is ${formatChecksum(actual)}, not ${formatChecksum(stored)} as stated`
  return new LTXError('checksum-mismatch', text, { offset })
}
