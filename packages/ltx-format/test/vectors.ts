import type * as LTX from '@sqlstream/ltx'
import type * as LZ4 from '@sqlstream/ltx/lz4'
import { KNOWN } from './known-answers.ts'
import { CONTENTS, equal, outcomeOf, PAGE_SIZES, random, sha256, streamOf } from './vector-parts.ts'

/** What is tested: all that the package exports. */
type Package = typeof LTX & { readonly lz4: typeof LZ4 }

/** One check with known answers. It throws when the package gives another one. */
export interface Vector {
  readonly name: string
  run(): void | Promise<void>
}

/** The kernel to ask for, and the one that must come. They differ for `auto` alone. */
export interface Backend {
  readonly asked: 'auto' | 'wasm' | 'js'
  readonly expected: 'wasm' | 'js'
}

/** Files of another writer, oldest first, and what they must be. */
export interface Golden {
  readonly files: readonly { readonly name: string; readonly bytes: Uint8Array; readonly checksum: string }[]
  /** SHA-256 of the database after the last file. */
  readonly image: string
}

/**
 * What every engine must agree on, to the byte: Node on both backends (vectors.test.ts), and Chromium in a page, in a worker
 * and under a strict policy (test/chromium.test.ts). Therefore nothing here may need Node or a test runner.
 */
export function vectors(ltx: Package, backend: Backend, golden: Golden): Vector[] {
  const kernelFor = (pageSize: LTX.PageSize, batchBytes = 4 * pageSize): LTX.PageKernel => {
    const options = { pageSize, batchBytes, backend: backend.asked }
    const kernel = ltx.createKernel(options)
    equal(kernel.backend, backend.expected, 'backend')
    return kernel
  }
  return [
    ...checksumVectors(ltx),
    ...PAGE_SIZES.map((pageSize) => kernelVector(ltx, kernelFor, pageSize)),
    ...fileVectors(ltx, kernelFor),
    {
      name: 'reads what Litestream wrote, and merges it to its image',
      run: () => readGolden(ltx, kernelFor, golden),
    },
  ]
}

type KernelFor = (pageSize: LTX.PageSize, batchBytes?: number) => LTX.PageKernel

function checksumVectors({ crc64, crc64Combine, checksumPage, formatChecksum }: Package): Vector[] {
  const hex = (value: bigint): string => value.toString(16)
  return [
    {
      name: 'crc64 has its check value',
      run: () => {
        equal(hex(crc64(new TextEncoder().encode('123456789'))), 'b90956c775a41001', 'crc64')
        equal(crc64(new Uint8Array(0)), 0n, 'crc64 of nothing')
      },
    },
    {
      name: 'crc64 is right at every length to 1100 and every alignment',
      run: () => {
        const bytes = random(1, 1200)
        let all = 0n
        for (let length = 0; length <= 1100; length++) {
          const start = length % 8
          all = crc64Combine(all, crc64(bytes.subarray(start, start + length)), length)
        }
        equal(hex(all), KNOWN.crcOfLengths, 'crc64 of all')
      },
    },
    {
      name: 'crc64Combine joins parts, over lengths beyond 32 bits too',
      run: () => {
        const bytes = random(2, 10_000)
        equal(hex(crc64(bytes)), KNOWN.crcOf10000, 'crc64')
        for (const cut of [0, 1, 7, 4096, 9999, 10_000]) {
          const [a, b] = [bytes.subarray(0, cut), bytes.subarray(cut)]
          equal(hex(crc64(b, crc64(a))), KNOWN.crcOf10000, `continued at ${cut}`)
          equal(hex(crc64Combine(crc64(a), crc64(b), b.length)), KNOWN.crcOf10000, `joined at ${cut}`)
        }
        equal(hex(crc64Combine(crc64(bytes), 0n, 2 ** 40)), KNOWN.crcShifted, 'moved by 2^40 bytes')
      },
    },
    {
      name: 'checksumPage covers number and data',
      run: () => {
        const sum = (pgno: number): string => formatChecksum(checksumPage({ pgno, data: random(3, 4096) }))
        equal(`${sum(1)} ${sum(0x1234_5678)}`, KNOWN.pageChecksums, 'checksumPage')
      },
    },
  ]
}

/** Pages of zeros, text, random bytes and records through a kernel and back. */
function kernelVector(ltx: Package, kernelFor: KernelFor, pageSize: LTX.PageSize): Vector {
  const run = async (): Promise<void> => {
    const kernel = kernelFor(pageSize)
    const contents = Object.values(CONTENTS).map((make) => make(pageSize))
    const put = (): void => contents.forEach((data, i) => void kernel.pages.set(data, i * pageSize))
    const checkSums = (what: string): void => {
      for (const [i, data] of contents.entries()) {
        const sum = (BigInt(kernel.pageSums[2 * i + 1]!) << 32n) | BigInt(kernel.pageSums[2 * i]!)
        equal(sum, ltx.checksumPage({ pgno: kernel.pgnos[i]!, data }), `checksum of page ${i} in ${what}`)
      }
    }
    kernel.pgnos.set([1, 2, 70_000, 0xffff_fffe])
    put()
    kernel.checksumPages(4)
    checkSums('checksumPages')
    const start = new Uint8Array(100)
    // Twice: the second batch starts with tables that the first one has filled.
    for (const turn of ['first', 'second']) {
      kernel.reset()
      kernel.hash(start)
      put()
      kernel.pageSums.fill(0)
      const size = kernel.encode(4, true)
      const digest = kernel.digest()
      checkSums('encode')
      let at = 0
      const hashes: string[] = []
      for (const frameSize of kernel.frameSizes.subarray(0, 4)) {
        hashes.push(await sha256(kernel.frames.slice(at, at + frameSize)))
        at += frameSize
      }
      equal(at, size, 'bytes in frames')
      equal(hashes.join(' '), KNOWN.frames[pageSize], `frames in the ${turn} turn`)
      equal(digest.toString(16), KNOWN.digests[pageSize], `file checksum in the ${turn} turn`)

      kernel.pages.fill(0xee)
      kernel.pageSums.fill(0)
      kernel.reset()
      kernel.append(ltx.crc64(start), start.length)
      const step = kernel.decode(size, 4, true)
      equal(
        JSON.stringify(step),
        JSON.stringify({ pages: 4, consumed: size, end: false, hashed: 4 * (10 + pageSize) }),
        'step',
      )
      for (const [i, data] of contents.entries()) {
        equal(kernel.pages.subarray(i * pageSize, (i + 1) * pageSize), data, `page ${i}`)
      }
      checkSums('decode')
      equal(kernel.digest(), digest, 'file checksum after decode')
    }
  }
  return { name: `the kernel encodes pages of ${pageSize} bytes to the known frames and decodes them`, run }
}

function fileVectors(ltx: Package, kernelFor: KernelFor): Vector[] {
  const pages = Object.values(CONTENTS).map((make, i) => ({ pgno: i + 1, data: make(512) }))
  const header = ltx.createHeader({
    pageSize: 512,
    commit: 4,
    minTXID: ltx.toTXID(1),
    maxTXID: ltx.toTXID(7),
    timestamp: 1_795_452_821_931,
  })
  const write = async (): Promise<Uint8Array> => {
    const encoder = new ltx.Encoder(header, { kernel: kernelFor(512) })
    const parts = [encoder.start(), ...pages.map((page) => encoder.page(page)), encoder.finish()]
    return new Uint8Array(await new Blob(parts as BlobPart[]).arrayBuffer())
  }
  const read = async (bytes: Uint8Array, kernel: LTX.PageKernel, chunk = 4096): Promise<LTX.Trailer> => {
    const decoder = await ltx.Decoder.open(streamOf(bytes, chunk), { kernel })
    const found: LTX.Page[] = []
    for await (const page of decoder) found.push(page)
    const trailer = await decoder.finish()
    // Not before: until then nothing is proven.
    equal(found.length, pages.length, 'pages')
    for (const [i, { pgno, data }] of found.entries()) {
      equal(pgno, i + 1, 'page number')
      equal(data, pages[i]!.data, `page ${pgno}`)
    }
    equal(ltx.formatTXID(decoder.header.maxTXID), '0000000000000007', 'maxTXID')
    return trailer
  }
  return [
    {
      name: 'a whole file has the known bytes and is read back, whatever the chunks',
      run: async () => {
        const bytes = await write()
        equal(await sha256(bytes), KNOWN.file, 'file')
        for (const chunk of [1, 101, 4096]) {
          const trailer = await read(bytes, kernelFor(512), chunk)
          equal(ltx.formatChecksum(trailer.fileChecksum), KNOWN.fileChecksum, 'file checksum')
        }
      },
    },
    {
      name: 'single pages are read by the index',
      run: async () => {
        const bytes = await write()
        const file = {
          size: bytes.length,
          read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
        }
        const index = await ltx.readPageIndex(file)
        for (const { pgno, data } of pages) {
          const page = await ltx.readPage(file, index.find(pgno)!, 512)
          equal(page.data, data, `page ${pgno}`)
        }
      },
    },
    {
      name: 'a flipped byte is refused, or harmless, as with the plain backend',
      run: async () => {
        const bytes = await write()
        const [kernel, plain] = [kernelFor(512), jsKernel(ltx)]
        for (let at = 0; at < bytes.length; at++) {
          const spoilt = bytes.slice()
          spoilt[at] = spoilt[at]! ^ (1 << (at % 8))
          const outcome = await outcomeOf(ltx, read(spoilt, kernel))
          equal(outcome, await outcomeOf(ltx, read(spoilt, plain)), `flipped byte ${at}`)
        }
      },
    },
    {
      name: 'malformed frames are refused where they are',
      run: () => {
        const kernel = kernelFor(512)
        // Offset 0, an offset before the page, a match past its end, literals past the end of the block, an empty block.
        const blocks = ['1000ff0000', '10000200', '1f000100ffffff0000', 'f0ff00', '00']
        for (const block of blocks) {
          const data = Uint8Array.from(block.match(/../g)!, (byte) => Number.parseInt(byte, 16))
          const head = Uint8Array.of(0, 0, 0, 9, 0, 1, 0, 0, 0, data.length)
          kernel.reset()
          kernel.hash(new Uint8Array(100))
          kernel.frames.set(head)
          kernel.frames.set(data, head.length)
          let code = 'accepted'
          try {
            kernel.decode(head.length + data.length, 1, true)
          } catch (error) {
            code = ltx.isLTXError(error) ? `${error.code} at ${error.offset}` : String(error)
          }
          equal(code, 'bad-page at 100', `block ${block}`)
        }
      },
    },
    {
      name: 'LZ4 blocks have the known bytes, and survive',
      run: () => {
        const block = ltx.lz4.compressBlock(CONTENTS.zeros(512))
        equal(
          Array.from(block, (byte) => byte.toString(16).padStart(2, '0')).join(''),
          KNOWN.blockOfZeros,
          'zeros',
        )
        for (const make of Object.values(CONTENTS)) {
          const data = make(65536)
          const output = new Uint8Array(65536)
          equal(ltx.lz4.decompressBlock(ltx.lz4.compressBlock(data), output), 65536, 'size of a block')
          equal(output, data, 'block')
        }
      },
    },
  ]
}

function jsKernel(ltx: Package): LTX.PageKernel {
  const options = { pageSize: 512 as const, batchBytes: 2048, backend: 'js' as const }
  return ltx.createKernel(options)
}

async function readGolden(ltx: Package, kernelFor: KernelFor, golden: Golden): Promise<void> {
  for (const { name, bytes, checksum } of golden.files) {
    const { pageSize } = ltx.decodeHeader(bytes)
    const decoder = await ltx.Decoder.open(streamOf(bytes, 1000), { kernel: kernelFor(pageSize) })
    const trailer = await decoder.finish()
    equal(ltx.formatChecksum(trailer.fileChecksum), checksum, name)
  }
  const merged = ltx.mergeFiles(golden.files.map(({ bytes }) => streamOf(bytes, 1000)))
  const decoder = await ltx.Decoder.open(merged)
  const { commit, pageSize } = decoder.header
  const image = new Uint8Array(commit * pageSize)
  for await (const { pgno, data } of decoder) image.set(data, (pgno - 1) * pageSize)
  await decoder.finish()
  equal(await sha256(image, 64), golden.image, 'image')
}
