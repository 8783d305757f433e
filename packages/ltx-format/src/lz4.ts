import { viewOf } from './big-endian.ts'
import { LTXError } from './errors.ts'
import { BlockCompressor, compressBound } from './kernel/lz4-compress.ts'
import { decompress } from './kernel/lz4-decompress.ts'

export { type DecompressFrameOptions, decompressFrame } from './lz4-frame.ts'
export { type DecompressStreamOptions, decompressFrameStream } from './lz4-frame-stream.ts'
export { compressBound }

/** One LZ4 block of at most 65536 bytes. The result is the caller's and depends on the bytes alone. Throws RangeError. */
export function compressBlock(input: Uint8Array): Uint8Array {
  const size = input.byteLength
  if (size > 65536) throw new RangeError(`cannot compress ${size} bytes as one block, at most 65536`)
  const output = new Uint8Array(compressBound(size))
  return output.slice(0, new BlockCompressor().compress(input, viewOf(input), 0, size, output, 0))
}

/** Decompresses one block to the start of `output` and returns the bytes there. Throws LTXError 'bad-page'. */
export function decompressBlock(input: Uint8Array, output: Uint8Array): number {
  const size = decompress(
    input,
    viewOf(input),
    0,
    input.byteLength,
    output,
    viewOf(output),
    0,
    output.byteLength,
    0,
  )
  if (size < 0) throw new LTXError('bad-page', `malformed LZ4 block, or more than ${output.byteLength} bytes`)
  return size
}
