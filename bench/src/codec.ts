import { crc64, createHeader, createKernel, Decoder, Encoder, toTXID } from '@sqlstream/ltx'
import { FrameScanner, WAL_FRAME_HEADER_SIZE, walChecksum } from '@sqlstream/wal'
import type { Benchmark, Figure } from './benchmark.ts'
import { fillWithRows } from './row-bytes.ts'
import { fastest, rate } from './statistics.ts'

const PAGE_SIZE = 4096
const FRAME_SIZE = WAL_FRAME_HEADER_SIZE + PAGE_SIZE
const kernel = createKernel({ pageSize: PAGE_SIZE })

/** A WAL without its header: frames with right checksums around these pages. */
function framesAround(pages: Uint8Array): Uint8Array {
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

function encodeFile(pages: Uint8Array): Uint8Array[] {
  const commit = pages.length / PAGE_SIZE
  const range = { minTXID: toTXID(1), maxTXID: toTXID(1) }
  const encoder = new Encoder(createHeader({ ...range, pageSize: PAGE_SIZE, commit, timestamp: 0 }), {
    kernel,
  })
  const chunks = [encoder.start().slice()]
  for (let from = 0; from < commit; from += kernel.capacity) {
    const n = Math.min(kernel.capacity, commit - from)
    kernel.pages.set(pages.subarray(from * PAGE_SIZE, (from + n) * PAGE_SIZE))
    for (let i = 0; i < n; i++) kernel.pgnos[i] = from + i + 1
    chunks.push(encoder.encode(n, { track: true }).slice())
  }
  chunks.push(encoder.finish().slice())
  return chunks
}

async function decodeFile(file: readonly Uint8Array[]): Promise<void> {
  const decoder = await Decoder.open(streamOf(file), { kernel })
  for await (const batch of decoder.batches()) if (batch.count === 0) throw new Error('an empty batch')
  await decoder.finish()
}

async function* streamOf(chunks: readonly Uint8Array[]): AsyncGenerator<Uint8Array> {
  yield* chunks
}

function scanFrames(frames: Uint8Array): void {
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
  const valid = new FrameScanner(start).scan(frames, 0, count, () => {
    seen++
  })
  if (valid !== count || seen !== count) throw new Error(`${valid} of ${count} frames are valid`)
}

function walSum(pages: Uint8Array): void {
  walChecksum(new Uint32Array(2), pages, 0, pages.length, false)
}

/** Formats and checksums in memory. */
export const codec: Benchmark = {
  title: 'Formats and checksums',
  description:
    'In memory, one thread, 4 KiB pages that look like rows of text (LZ4 brings them to about 0.65), best of several rounds. Ratios are to a copy of the same bytes in the same process.',
  async run({ size }) {
    const bytes = { full: 64, quick: 16, tiny: 1 }[size] << 20
    const rounds = { full: 15, quick: 5, tiny: 1 }[size]
    const pages = new Uint8Array(bytes)
    fillWithRows(pages, 42)
    const frames = framesAround(pages)
    const file = encodeFile(pages)
    const encoded = file.reduce((sum, chunk) => sum + chunk.length, 0)
    const target = new Uint8Array(bytes)
    const memcpy = rate(bytes, await fastest(rounds, () => target.set(pages)))
    const works: readonly (readonly [string, () => unknown])[] = [
      ['encode an LTX file, with page checksums', () => encodeFile(pages)],
      ['decode an LTX file, every checksum verified', () => decodeFile(file)],
      ['CRC-64 of a file', () => crc64(pages)],
      ['checksum of a WAL', () => walSum(pages)],
      ['scan of a WAL, frame by frame, verified', () => scanFrames(frames)],
    ]
    const figures: Figure[] = [{ name: 'copy in memory', value: memcpy, unit: 'MB/s' }]
    for (const [name, work] of works) {
      const value = rate(bytes, await fastest(rounds, work))
      figures.push({ name, value, unit: 'MB/s', ratio: value / memcpy, than: 'a copy in memory' })
    }
    return { figures, notes: [`The pages became ${(encoded / bytes).toFixed(2)} of their size.`] }
  },
}
