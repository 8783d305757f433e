/** Below this length a loop beats a call into the engine. */
export const SHORT = 32

/** Copies src[start, end) to dst at `out`. The ranges may lie in one array but must not overlap. */
export function copyBytes(src: Uint8Array, start: number, end: number, dst: Uint8Array, out: number): void {
  if (end - start <= SHORT) {
    for (let from = start, to = out; from < end; ) dst[to++] = src[from++]!
  } else if (src === dst) {
    // Unlike set(subarray) this allocates nothing: kernels keep frames and pages in one array for its sake.
    dst.copyWithin(out, start, end)
  } else {
    dst.set(src.subarray(start, end), out)
  }
}

/** Writes `length` bytes at `out`, each equal to the one `distance` before it. */
export function copyMatch(bytes: Uint8Array, out: number, distance: number, length: number): void {
  const end = out + length
  let from = out - distance
  if (length <= SHORT) {
    for (let to = out; to < end; ) bytes[to++] = bytes[from++]!
  } else if (distance >= length) {
    bytes.copyWithin(out, from, from + length)
  } else if (distance === 1) {
    bytes.fill(bytes[from]!, out, end)
  } else {
    // The match repeats a pattern of `distance` bytes: double what is there until it is long enough.
    from = out - distance
    let done = distance
    bytes.copyWithin(out, from, out)
    while (done < length) {
      const size = Math.min(done, length - done)
      bytes.copyWithin(out + done, out, out + size)
      done += size
    }
  }
}
