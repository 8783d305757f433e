import { crc64, createKernel } from '@sqlstream/ltx'
import { createWALKernel, walChecksum } from '@sqlstream/wal'
import { ownWork, type Work } from './interleaved.ts'
import { decodeFile, encodeFile, mergeFile } from './ltx-file.ts'
import type { NativeProgram } from './native.ts'
import {
  AddonCodec,
  BATCH_PAGES,
  BATCH_SIZE,
  encodeAll,
  KernelCodec,
  PAGE_SIZE,
  type PageCodec,
  proveDecode,
} from './page-codec.ts'
import { framesAround, scanFrames } from './wal-frames.ts'

/** Work on pages that is measured, under the name of its figure. */
export interface Entry {
  readonly name: string
  readonly work: Work
  /** Name of the same work by our kernels in WebAssembly, if this is by somebody else. */
  readonly ours?: string
  /** MB of pages a second that it should reach. */
  readonly goal?: number | undefined
}

const JAVASCRIPT = 'JavaScript backend'
const ADDON = 'lz4-napi, checksums in JavaScript'

/** Ours and those of the others that can be had here. */
function contest(
  name: string,
  work: Work,
  others: Readonly<Record<string, Work | undefined>> = {},
  goal?: number,
): Entry[] {
  const rest = Object.entries(others).flatMap(([who, theirs]): Entry[] =>
    theirs === undefined ? [] : [{ name: `${name}, ${who}`, work: theirs, ours: name }],
  )
  return [{ name, work, goal }, ...rest]
}

/** Pages, their name in figures, and what our kernel makes of them. */
export interface Sample {
  readonly what: string
  readonly pages: Buffer
  readonly batches: readonly Buffer[]
  readonly checksum: bigint
}

/** MB of pages a second that ours should reach. */
export interface PageGoals {
  readonly encode?: number
  readonly decode?: number
}

function ignore(): void {}

/** From buffer to buffer: each byte is copied into a kernel's memory and out of it. */
export function pageEntries(sample: Sample, native: NativeProgram | undefined, goals: PageGoals): Entry[] {
  const { what, pages, batches } = sample
  const kernel = new KernelCodec('wasm')
  const javascript = new KernelCodec('js')
  const addon = new AddonCodec()
  for (const codec of [kernel, javascript, addon]) {
    proveDecode(codec, sample, pages)
    proveDecode(kernel, encodeAll(codec, pages), pages)
  }
  const encode = (codec: PageCodec): Work => ownWork(() => codec.encode(pages, ignore))
  const decode = (codec: PageCodec): Work => ownWork(() => codec.decode(batches, ignore))
  return [
    ...contest(
      `encode pages of ${what}`,
      encode(kernel),
      {
        [JAVASCRIPT]: encode(javascript),
        [ADDON]: encode(addon),
        [`native liblz4, ${native?.crc}`]: native?.work('encode'),
        'native liblz4 alone, nothing copied': native?.work('compress'),
      },
      goals.encode,
    ),
    ...contest(
      `decode and verify pages of ${what}`,
      decode(kernel),
      {
        [JAVASCRIPT]: decode(javascript),
        [ADDON]: decode(addon),
        [`native liblz4, ${native?.crc}`]: native?.work('decode'),
        'native liblz4 alone, nothing copied': native?.work('decompress'),
      },
      goals.decode,
    ),
  ]
}

/** Checksums of 1 MiB again and again, in the kernels' own memories: where files are read to. */
export function checksumEntries(pages: Buffer, native: NativeProgram | undefined): Entry[] {
  const repeated = (work: () => unknown): Work =>
    ownWork(() => {
      for (let done = 0; done < pages.length; done += BATCH_SIZE) work()
    })
  const options = { pageSize: PAGE_SIZE, batchBytes: BATCH_SIZE } as const
  const kernel = createKernel({ ...options, backend: 'wasm' })
  const javascript = createKernel({ ...options, backend: 'js' })
  const some = pages.subarray(0, BATCH_SIZE)
  kernel.pages.set(some)
  javascript.pages.set(some)
  const frames = framesAround(some)
  const walKernel = createWALKernel({ pageSize: PAGE_SIZE, bytes: frames.length, backend: 'wasm' })
  walKernel.frames.set(frames)
  const goal = 15_000
  return [
    ...contest(
      'CRC-64 of a file',
      repeated(() => kernel.hash(kernel.pages)),
      {
        [JAVASCRIPT]: repeated(() => javascript.hash(javascript.pages)),
        'native, by tables': native?.work('crc64'),
        [`native, ${native?.crc}`]: native?.work('sparse'),
      },
      goal,
    ),
    ...contest(
      'CRC-64 of each page',
      repeated(() => kernel.checksumPages(BATCH_PAGES)),
      { [JAVASCRIPT]: repeated(() => javascript.checksumPages(BATCH_PAGES)) },
      goal,
    ),
    ...contest(
      'scan of a WAL, frame by frame, verified',
      repeated(() => scanFrames(walKernel.frames, { kernel: walKernel })),
      {
        [JAVASCRIPT]: repeated(() => scanFrames(frames)),
        'native, the loop of SQLite': native?.work('wal'),
      },
      goal,
    ),
  ]
}

/** Whole files by the classes that the product uses, which also judge the order of pages and keep the page index. */
export function fileEntries(pages: Buffer): Entry[] {
  const file = encodeFile(pages)
  return [
    { name: 'encode an LTX file, with page checksums', work: ownWork(() => encodeFile(pages)) },
    { name: 'decode an LTX file, every checksum verified', work: ownWork(() => decodeFile(file)) },
    { name: 'merge an LTX file, every checksum verified', work: ownWork(() => mergeFile(file)) },
  ]
}

/** Proves that the native program does the same work. @throws Error */
export async function proveNative(
  native: NativeProgram,
  { pages, batches, checksum }: Sample,
): Promise<void> {
  proveDecode(new KernelCodec('wasm'), { batches: native.batches, checksum: native.checksum }, pages)
  const some = pages.subarray(0, BATCH_SIZE)
  const sums = new Uint32Array(2)
  let crc = 0n
  for (const _ of batches) {
    crc = crc64(some, crc)
    walChecksum(sums, some, 0, some.length, false)
  }
  const expected = {
    encode: native.checksum,
    decode: checksum,
    crc64: crc,
    sparse: crc,
    wal: joined(sums),
  } as const
  for (const task of ['encode', 'decode', 'crc64', 'sparse', 'wal'] as const) {
    const actual = (await native.run(task)).checksum
    if (actual !== expected[task]) throw new Error(`native ${task}: ${actual} is not ${expected[task]}`)
  }
}

function joined([first = 0, second = 0]: Uint32Array): bigint {
  return (BigInt(first) << 32n) | BigInt(second)
}
