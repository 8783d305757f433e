import { writevSync } from 'node:fs'

/**
 * Writes all bytes of all parts, in one call of the system if it takes them all, and returns their number.
 * @param position where in the file; default: behind what was written last
 */
export function writeAll(fd: number, parts: readonly Uint8Array[], position?: number): number {
  let left = parts.filter(({ length }) => length > 0)
  let size = 0
  while (left.length > 0) {
    let written = writevSync(fd, left, position === undefined ? undefined : position + size)
    size += written
    // It may have stopped anywhere, within a part too.
    const next = left.findIndex(({ length }) => {
      if (written < length) return true
      written -= length
      return false
    })
    left = next === -1 ? [] : [left[next]!.subarray(written), ...left.slice(next + 1)]
  }
  return size
}
