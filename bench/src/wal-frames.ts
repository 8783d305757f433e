import { FrameScanner, type FrameScannerOptions, WAL_FRAME_HEADER_SIZE, walChecksum } from '@sqlstream/wal'
import { PAGE_SIZE } from './page-codec.ts'

const FRAME_SIZE = WAL_FRAME_HEADER_SIZE + PAGE_SIZE

/** A WAL without its header: frames with right checksums around these pages. */
export function framesAround(pages: Uint8Array): Uint8Array {
  const count = pages.length / PAGE_SIZE
  const frames = new Uint8Array(count * FRAME_SIZE)
  const view = new DataView(frames.buffer)
  const sum = new Uint32Array(2)
  for (let i = 0; i < count; i++) {
    const at = i * FRAME_SIZE
    view.setUint32(at, i + 1)
    view.setUint32(at + 4, i % 4 === 3 || i + 1 === count ? i + 1 : 0)
    view.setUint32(at + 8, 1)
    view.setUint32(at + 12, 2)
    frames.set(pages.subarray(i * PAGE_SIZE, (i + 1) * PAGE_SIZE), at + WAL_FRAME_HEADER_SIZE)
    walChecksum(sum, frames, at, 8, false)
    walChecksum(sum, frames, at + WAL_FRAME_HEADER_SIZE, PAGE_SIZE, false)
    view.setUint32(at + 16, sum[0] ?? 0)
    view.setUint32(at + 20, sum[1] ?? 0)
  }
  return frames
}

/** Verifies such a WAL. @throws Error unless all of it is valid */
export function scanFrames(frames: Uint8Array, options: FrameScannerOptions = {}): void {
  const count = frames.length / FRAME_SIZE
  const start = {
    pageSize: PAGE_SIZE,
    bigEndian: false,
    salt1: 1,
    salt2: 2,
    checksum1: 0,
    checksum2: 0,
  } as const
  let seen = 0
  const valid = new FrameScanner(start, options).scan(frames, 0, count, () => {
    seen++
  })
  if (valid !== count || seen !== count) throw new Error(`${valid} of ${count} frames are valid`)
}
