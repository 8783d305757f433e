import { readUint32 } from '../big-endian.ts'
import { LTXError } from '../errors.ts'
import { PAGE_HEADER_SIZE } from '../frame.ts'

/** Why a kernel stopped decoding; kernel/decode.ts has the same numbers. */
export const PROBLEM = {
  none: 0,
  pgnoZero: 1,
  unknownFlags: 2,
  tooLong: 3,
  badBlock: 4,
  /** A page without size prefix: not an error. */
  oldPage: 5,
} as const

/** The error for the page whose frame is at memory[at]; `offset` is where that is in the file. */
export function badPage(
  problem: number,
  memory: Uint8Array,
  at: number,
  pageSize: number,
  offset: number,
): LTXError {
  return new LTXError('bad-page', describe(problem, memory, at, pageSize), { offset })
}

function describe(problem: number, memory: Uint8Array, at: number, pageSize: number): string {
  if (problem === PROBLEM.pgnoZero) return 'page number is 0'
  if (problem === PROBLEM.unknownFlags) {
    return `unknown page flags 0x${((memory[at + 4]! << 8) | memory[at + 5]!).toString(16)}`
  }
  if (problem === PROBLEM.tooLong) {
    return `page data of ${readUint32(memory, at + PAGE_HEADER_SIZE)} bytes is too long`
  }
  return `page data is not an LZ4 block of ${pageSize} bytes`
}
