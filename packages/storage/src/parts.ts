import type { AbortOptions, BlobBody } from './blob-store.ts'
import { readBody } from './body.ts'

/** How `bodyParts` cuts. */
export interface BodyPartsOptions extends AbortOptions {
  /** Bytes of part `n`, counted from 1; integers from 1. Default: `partSize`. */
  readonly sizeOf?: ((n: number) => number) | undefined
  /** Gives memory for a part, of exactly this size. Default: a new array; each part is one, so several can be on their way. */
  readonly allocate?: ((size: number) => Uint8Array) | undefined
}

const MIB = 2 ** 20

/**
 * Bytes of part `n` (from 1) of a large upload: 8 MiB, doubled after each 1,000 parts. Bodies are streams whose end nobody
 * knows, so parts grow: a service's 10,000 parts reach 7.8 TiB, and what most backups need is uploaded in small buffers.
 */
export function partSize(n: number): number {
  return 8 * MIB * 2 ** Math.floor((n - 1) / 1000)
}

/**
 * A body in parts of exactly the wanted sizes; the last is shorter and never empty. An empty body has no part. Those of a
 * Uint8Array are views of it, and must not be changed.
 * @throws RangeError when the body has more or fewer bytes than its `size`
 */
export async function* bodyParts(
  body: BlobBody,
  options: BodyPartsOptions = {},
): AsyncGenerator<Uint8Array, void> {
  const { sizeOf = partSize, allocate = (size) => new Uint8Array(size), signal } = options
  if (body instanceof Uint8Array) {
    for (let at = 0, part = 1; at < body.length; part++) {
      signal?.throwIfAborted()
      const end = at + sizeOf(part)
      yield body.subarray(at, end)
      at = end
    }
    return
  }
  let left = body.size
  let n = 1
  let part: Uint8Array = new Uint8Array(0)
  let filled = 0
  for await (const bytes of readBody(body, { signal })) {
    let chunk: Uint8Array = bytes
    while (chunk.length > 0) {
      if (filled === 0) part = allocate(Math.min(sizeOf(n), left ?? Infinity))
      const size = Math.min(chunk.length, part.length - filled)
      part.set(chunk.subarray(0, size), filled)
      filled += size
      chunk = chunk.subarray(size)
      if (filled < part.length) continue
      if (left !== undefined) left -= filled
      yield part
      n += 1
      filled = 0
    }
  }
  if (filled > 0) yield part.subarray(0, filled)
}
