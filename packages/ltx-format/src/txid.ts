declare const brand: unique symbol
/** A value that the compiler keeps apart from others of the same JavaScript type. */
export type Brand<T, Name extends string> = T & { readonly [brand]: Name }

/** Transaction id: uint64, the first is 1n. Text and JSON form: 16 lowercase hex digits. */
export type TXID = Brand<bigint, 'TXID'>

/** Inclusive range of transactions. */
export interface TXIDRange {
  readonly minTXID: TXID
  readonly maxTXID: TXID
}

const MAX_UINT64 = 0xffff_ffff_ffff_ffffn
const HEX_64 = /^[0-9a-f]{16}$/

/** Checks 0 <= value < 2^64; a number must be a safe integer. Throws RangeError. */
export function toUint64(value: bigint | number, what: string): bigint {
  if (typeof value === 'number' && !Number.isSafeInteger(value)) {
    throw new RangeError(`${what} ${value} is not a safe integer`)
  }
  const wide = BigInt(value)
  if (wide < 0n || wide > MAX_UINT64) throw new RangeError(`${what} ${value} does not fit 64 bits`)
  return wide
}

/** Reads exactly 16 lowercase hex digits. Throws RangeError. */
export function parseUint64(text: string, what: string): bigint {
  if (!HEX_64.test(text))
    throw new RangeError(`${what} must be 16 lowercase hex digits, not ${JSON.stringify(text)}`)
  return BigInt(`0x${text}`)
}

/** 16 lowercase hex digits. */
export function formatUint64(value: bigint): string {
  return value.toString(16).padStart(16, '0')
}

/** A transaction id from a number or bigint in 0..2^64-1. Throws RangeError. */
export function toTXID(value: bigint | number): TXID {
  return toUint64(value, 'TXID') as TXID
}

/** A transaction id from 16 lowercase hex digits. Throws RangeError on anything else. */
export function parseTXID(text: string): TXID {
  return parseUint64(text, 'TXID') as TXID
}

/** 16 lowercase hex digits. */
export function formatTXID(txid: TXID): string {
  return formatUint64(txid)
}

/** A file that starts at transaction 1 holds the whole database (FORMAT.md H4). */
export function isSnapshot(range: TXIDRange): boolean {
  return range.minTXID === 1n
}

/** True if `next` begins with the transaction right after the last of `previous`: no gap, no overlap. */
export function isContiguous(previous: TXIDRange, next: TXIDRange): boolean {
  return next.minTXID === previous.maxTXID + 1n
}
