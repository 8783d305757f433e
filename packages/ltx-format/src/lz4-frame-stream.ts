import { viewOf } from './big-endian.ts'
import { type ByteStream, StreamReader } from './byte-stream.ts'
import { LTXError } from './errors.ts'
import { decompress } from './kernel/lz4-decompress.ts'
import {
  badFrame,
  DESCRIPTOR_SIZE,
  type Descriptor,
  read32,
  readDescriptor,
  UNCOMPRESSED,
} from './lz4-frame.ts'
import { XXH32, xxh32 } from './xxh32.ts'

/** How far a match of a linked block reaches back. */
const WINDOW = 0xffff
/** LZ4 makes of one byte at most so many. */
const MOST_EXPANSION = 255

/** Options of decompressFrameStream. */
export interface DecompressStreamOptions {
  readonly signal?: AbortSignal | undefined
}

/**
 * Decodes exactly one LZ4 frame while it arrives, block by block. A chunk is valid until the next one is asked for. What was
 * handed out is proven only when the stream ends without an error: the checksum of the content comes last.
 *
 * Memory: one block as it is and one decoded, at most 4 MiB each. Throws LTXError 'truncated' if the frame does not end,
 * 'bad-page' if it is malformed, does not match its checksums or is followed by other bytes; the source's errors; the
 * signal's reason. Lets the source go, however it ends.
 */
export async function* decompressFrameStream(
  source: ByteStream,
  options: DecompressStreamOptions = {},
): AsyncGenerator<Uint8Array, void, undefined> {
  const reader = new StreamReader(source, options.signal)
  try {
    const frame = await openFrame(reader)
    const blocks = new BlockDecoder(frame)
    const hash = frame.contentChecksum ? new XXH32() : undefined
    let size = 0
    for (;;) {
      const at = reader.position
      const head = read32(await reader.exact(4, 'LZ4 block size'), 0)
      if (head === 0) break
      const length = (head & ~UNCOMPRESSED) >>> 0
      if (length === 0 || length > frame.maxBlockSize) throw badFrame(`block of ${length} bytes`, at)
      const block = await reader.exact(length, 'LZ4 block')
      if (frame.blockChecksums && xxh32(block) !== read32(await reader.exact(4, 'LZ4 checksum'), 0)) {
        throw badFrame('block checksum differs', at)
      }
      const content = blocks.decode(block, head >= UNCOMPRESSED)
      if (content === undefined) throw badFrame('malformed block', at)
      hash?.update(content)
      size += content.byteLength
      if (content.byteLength > 0) yield content
    }
    if (frame.contentSize !== undefined && frame.contentSize !== size) {
      throw badFrame('content size differs', reader.position)
    }
    if (hash && hash.digest() !== read32(await reader.exact(4, 'LZ4 checksum'), 0)) {
      throw badFrame('content checksum differs', reader.position)
    }
    const end = reader.position
    if ((await reader.some(1)).byteLength > 0) throw badFrame('followed by other bytes', end)
  } finally {
    await reader.close()
  }
}

async function openFrame(reader: StreamReader): Promise<Descriptor> {
  const bytes = new Uint8Array(DESCRIPTOR_SIZE)
  const shortest = 7
  let got = await reader.fill(bytes, 0, shortest)
  let frame = readDescriptor(bytes, 0, got)
  if (!frame && got === shortest) {
    got = await reader.fill(bytes, got, DESCRIPTOR_SIZE)
    frame = readDescriptor(bytes, 0, got)
  }
  if (!frame) throw new LTXError('truncated', 'LZ4 frame is cut off', { offset: got })
  return frame
}

/** Decodes the blocks of one frame, with what linked ones refer back to. */
class BlockDecoder {
  readonly #frame: Descriptor
  #output: Uint8Array = new Uint8Array(0)
  /** Where the last block ended in the output. */
  #end = 0

  constructor(frame: Descriptor) {
    this.#frame = frame
  }

  /** The content of a block, valid until the next call; undefined when it is malformed. */
  decode(block: Uint8Array, isStored: boolean): Uint8Array | undefined {
    const { linked, maxBlockSize } = this.#frame
    if (isStored && !linked) return block
    const size = block.byteLength
    const most = isStored ? size : Math.min(maxBlockSize, size * MOST_EXPANSION)
    const start = this.#makeRoom(linked ? Math.min(this.#end, WINDOW) : 0, most)
    const output = this.#output
    if (isStored) {
      output.set(block, start)
      this.#end = start + size
    } else {
      const limit = start + most
      this.#end = decompress(block, viewOf(block), 0, size, output, viewOf(output), start, limit, 0)
      if (this.#end < 0) return undefined
    }
    return output.subarray(start, this.#end)
  }

  /** Keeps the last `history` bytes, moved to the beginning, with room for `most` behind them. Returns where that begins. */
  #makeRoom(history: number, most: number): number {
    const old = this.#output
    if (history + most > old.byteLength) this.#output = new Uint8Array(history + most)
    if (history > 0) this.#output.set(old.subarray(this.#end - history, this.#end))
    return history
  }
}
