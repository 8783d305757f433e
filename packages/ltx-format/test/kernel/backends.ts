import { createKernel, type PageKernel, type PageSize } from '@sqlstream/ltx'

/** Both kernels. A platform of these tests that lacks one fails them: nothing here skips. */
export const backends = ['js', 'wasm'] as const

export type Backend = (typeof backends)[number]

export const pageSizes: readonly PageSize[] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]

/** A kernel of that backend and no other, for `capacity` pages. */
export function kernelOf(backend: Backend, pageSize: PageSize, capacity: number): PageKernel {
  const kernel = createKernel({ backend, pageSize, batchBytes: capacity * pageSize })
  if (kernel.backend !== backend) throw new Error(`asked for ${backend}, got ${kernel.backend}`)
  if (kernel.capacity !== capacity) throw new Error(`asked for ${capacity} pages, got ${kernel.capacity}`)
  return kernel
}

/** Word `2 * i`, `2 * i + 1` of sums as one number. */
export function sumAt(sums: Uint32Array, i: number): bigint {
  return (BigInt(sums[2 * i + 1]!) << 32n) | BigInt(sums[2 * i]!)
}

/** Two arrays as bytes, to compare or copy whole memories at the speed of memcmp. */
export function bytesOf(array: Uint8Array | Uint32Array): Buffer {
  return Buffer.from(array.buffer, array.byteOffset, array.byteLength)
}
