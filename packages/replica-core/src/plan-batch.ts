/** From when on, and up to where, files that wait for their upload are merged. */
export interface BatchLimits {
  /**
   * Fewer files than this go up one by one, so that each capture stays a point that can be restored. Default 8. While other databases wait
   * for their turn it is 2: then puts are what there is too little of.
   */
  readonly from: number
  /** Files of one put. Default 1000. */
  readonly files: number
  /** Bytes of one put, and of the memory that it takes. Default 4 MiB. */
  readonly bytes: number
}

const LIMITS: BatchLimits = { from: 8, files: 1000, bytes: 4 << 20 }

/**
 * How many of the files that wait, oldest first, go up with the next put: more than one only after a time in which nothing could be
 * uploaded, or while others wait (`crowded`). At least 1.
 */
export function batchLength(
  files: readonly { readonly size: number }[],
  {
    limits = LIMITS,
    crowded = false,
  }: { readonly limits?: BatchLimits | undefined; readonly crowded?: boolean } = {},
): number {
  if (files.length < (crowded ? 2 : limits.from)) return 1
  let bytes = 0
  for (const [i, { size }] of files.entries()) {
    bytes += size
    if (i === limits.files || bytes > limits.bytes) return Math.max(i, 1)
  }
  return files.length
}
