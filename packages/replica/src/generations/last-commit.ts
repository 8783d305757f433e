import type { PageSize } from '@sqlstream/ltx'
import { decodeFrameHeader, WAL_FRAME_HEADER_SIZE, WAL_HEADER_SIZE } from '@sqlstream/wal'
import type { SegmentObject } from './generation-catalog.ts'

/**
 * Where in a WAL its last transaction ends, in bytes; 0 when none does. Reads its segments from the last one back. Verifies
 * nothing: for a reader that goes through the same frames itself.
 */
export async function lastCommitEnd(
  segments: readonly SegmentObject[],
  pageSize: PageSize,
  open: (segment: SegmentObject) => AsyncIterable<Uint8Array>,
): Promise<number> {
  for (const segment of segments.toReversed()) {
    const end = await lastCommitIn(segment, pageSize, open(segment))
    if (end > 0) return end
  }
  return 0
}

async function lastCommitIn(
  segment: SegmentObject,
  pageSize: PageSize,
  chunks: AsyncIterable<Uint8Array>,
): Promise<number> {
  const frameSize = WAL_FRAME_HEADER_SIZE + pageSize
  const header = new Uint8Array(WAL_FRAME_HEADER_SIZE)
  // Bytes from the chunk's beginning to that of the next frame; negative inside a frame's header.
  let next = segment.offset === 0 ? WAL_HEADER_SIZE : 0
  let frame = segment.offset + next
  let end = 0
  for await (const chunk of chunks) {
    while (next + WAL_FRAME_HEADER_SIZE <= chunk.byteLength) {
      header.set(chunk.subarray(Math.max(0, next), next + WAL_FRAME_HEADER_SIZE), Math.max(0, -next))
      next += frameSize
      frame += frameSize
      if (decodeFrameHeader(header, 0).commit !== 0) end = frame
    }
    if (next < chunk.byteLength) header.set(chunk.subarray(Math.max(0, next)), Math.max(0, -next))
    next -= chunk.byteLength
  }
  return end
}
