import type { ByteRange } from './blob-store.ts'

/** Half-open interval of bytes in an object. */
export interface ByteInterval {
  readonly start: number
  readonly end: number
}

/** @throws RangeError when an offset is below 0, a length or suffix below 1, or one is not an integer. */
export function checkRange(range: ByteRange): void {
  if (range.suffix !== undefined) {
    checkInteger('suffix', range.suffix, 1)
    return
  }
  checkInteger('offset', range.offset, 0)
  if (range.length !== undefined) checkInteger('length', range.length, 1)
}

/**
 * The bytes that a range selects in an object of `size` bytes; undefined when there is none, which is
 * 'range-not-satisfiable'. Without a range: all bytes, also of an empty object.
 */
export function resolveRange(range: ByteRange | undefined, size: number): ByteInterval | undefined {
  if (range === undefined) return { start: 0, end: size }
  checkRange(range)
  const start = range.suffix === undefined ? range.offset : Math.max(0, size - range.suffix)
  if (start >= size) return undefined
  const end = range.length === undefined ? size : Math.min(size, start + range.length)
  return { start, end }
}

function checkInteger(name: string, value: number, least: number): void {
  if (!Number.isSafeInteger(value) || value < least) {
    throw new RangeError(`range ${name} ${value} is not an integer from ${least}`)
  }
}
