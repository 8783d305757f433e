import { type Brand, formatUint64, parseUint64, type TXID, toUint64 } from './txid.ts'

/**
 * CRC-64/GO-ISO with bit 63 set. 0n means "not tracked". Of a page: over its number (4 bytes, big-endian) and data. Of a
 * database: bit 63 with the XOR of all page checksums, the lock page left out. Text form: 16 lowercase hex digits.
 */
export type Checksum = Brand<bigint, 'Checksum'>

/** Where a database stands: its last transaction and the checksum of all its pages. */
export interface Pos {
  readonly txid: TXID
  readonly postApplyChecksum: Checksum
}

/** Bit 63: set in every checksum that LTX stores, so that none is zero. */
export const CHECKSUM_FLAG: bigint = 1n << 63n

/** A checksum as it is from a number or bigint in 0..2^64-1; the flag is not added. Throws RangeError. */
export function toChecksum(value: bigint | number): Checksum {
  return toUint64(value, 'checksum') as Checksum
}

/** A checksum from 16 lowercase hex digits. Throws RangeError on anything else. */
export function parseChecksum(text: string): Checksum {
  return parseUint64(text, 'checksum') as Checksum
}

/** 16 lowercase hex digits. */
export function formatChecksum(checksum: Checksum): string {
  return formatUint64(checksum)
}

/** A checksum from the two 32-bit words in which kernels keep it; sets the flag. */
export function joinChecksum(low: number, high: number): Checksum {
  return ((BigInt((high | 0x8000_0000) >>> 0) << 32n) | BigInt(low >>> 0)) as Checksum
}

/** A CRC-64 as LTX stores it, with the flag. */
export function flaggedChecksum(crc: bigint): Checksum {
  return (crc | CHECKSUM_FLAG) as Checksum
}

/** True for a checksum that carries the flag, as every stored checksum other than "none" must. */
export function isFlagged(checksum: bigint): boolean {
  return (checksum & CHECKSUM_FLAG) !== 0n
}
