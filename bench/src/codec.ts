import { crc64 } from '@sqlstream/ltx'
import { walChecksum } from '@sqlstream/wal'
import type { Benchmark, Figure } from './benchmark.ts'
import { interleaved, ownWork, type Work } from './interleaved.ts'
import { decodeFile, encodeFile, mergeFile } from './ltx-file.ts'
import { AddonCodec, KernelCodec, type PageCodec, pageBuffers } from './page-codec.ts'
import { fillWithRows } from './row-bytes.ts'
import { rate } from './statistics.ts'
import { framesAround, scanFrames } from './wal-frames.ts'

/** Proves that a codec does the work: what it encodes must be the pages again, with the same checksum. */
function prove(codec: PageCodec, decoder: PageCodec, pages: Buffer): void {
  const buffers = pageBuffers(pages)
  const encoded = codec.encode(buffers)
  const decoded = decoder.decode(buffers)
  if (encoded !== decoded || !buffers.decoded.equals(pages)) throw new Error(`${codec.name} encodes badly`)
  buffers.decoded.fill(0)
  if (codec.decode(buffers) !== encoded || !buffers.decoded.equals(pages)) {
    throw new Error(`${codec.name} decodes badly`)
  }
}

/** Formats and checksums in memory. */
export const codec: Benchmark = {
  title: 'Formats and checksums',
  description:
    'In memory, one thread, 4 KiB pages that look like rows of text (LZ4 brings them to about 0.65). Processor time, best of several interleaved rounds.',
  async run({ size }) {
    const bytes = { full: 64, quick: 16, tiny: 1 }[size] << 20
    const rounds = { full: 15, quick: 5, tiny: 1 }[size]
    const pages = Buffer.alloc(bytes)
    fillWithRows(pages, 42)
    const kernel = new KernelCodec('WebAssembly', 'wasm')
    const codecs = [kernel, new KernelCodec('JavaScript', 'js'), new AddonCodec()]
    for (const codec of codecs) prove(codec, kernel, pages)
    const buffers = pageBuffers(pages)
    kernel.encode(buffers)
    // Not into the buffer that is decoded later: blocks of another compressor would be decoded at another speed.
    const encoded = pageBuffers(pages)
    const target = Buffer.alloc(bytes)
    const frames = framesAround(pages)
    const file = encodeFile(pages)
    const groups: readonly (readonly Work[])[] = [
      [ownWork('copy in memory', () => target.set(pages))],
      codecs.map((codec) => ownWork(`encode pages, ${codec.name}`, () => codec.encode(encoded))),
      codecs.map((codec) => ownWork(`decode and verify pages, ${codec.name}`, () => codec.decode(buffers))),
      [ownWork('encode an LTX file, with page checksums', () => encodeFile(pages))],
      [ownWork('decode an LTX file, every checksum verified', () => decodeFile(file))],
      [ownWork('merge an LTX file, every checksum verified', () => mergeFile(file))],
      [ownWork('CRC-64 of a file', () => crc64(pages))],
      [ownWork('checksum of a WAL', () => walChecksum(new Uint32Array(2), pages, 0, bytes, false))],
      [ownWork('scan of a WAL, frame by frame, verified', () => scanFrames(frames))],
    ]
    const times = await interleaved(rounds, groups.flat())
    const rates = new Map(groups.flat().map(({ name }, i) => [name, rate(bytes, Math.min(...times[i]!))]))
    const figures = groups.flatMap((group) =>
      group.map(({ name }, i): Figure => {
        const value = rates.get(name) ?? Number.NaN
        const than = i === 0 ? 'copy in memory' : group[0]!.name
        if (than === name) return { name, value, unit: 'MB/s' }
        return {
          name,
          value,
          unit: 'MB/s',
          ratio: value / rates.get(than)!,
          than: i === 0 ? 'a copy' : kernel.name,
        }
      }),
    )
    const length = buffers.ends.at(-1) ?? 0
    return { figures, notes: [`The pages became ${(length / bytes).toFixed(2)} of their size.`] }
  },
}
