import { createHash } from 'node:crypto'
import { Decoder, type Header, isLTXError, type PageKernel, type PageSize } from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { streamOf } from '../golden.ts'
import { type Backend, kernelOf } from './backends.ts'
import { goldenFiles, randomFiles, type Sample } from './files-to-break.ts'
import { freshSeed, Random } from './random.ts'

const seed = freshSeed()
const golden = goldenFiles()
const random = randomFiles(new Random(seed), 16)

const kernels = new Map<string, PageKernel>()

/** Kernels are used for file after file, the broken ones among them, as programs do. */
function kernelFor(backend: Backend, pageSize: PageSize): PageKernel {
  const name = `${backend} ${pageSize}`
  const kernel = kernels.get(name) ?? kernelOf(backend, pageSize, 3)
  kernels.set(name, kernel)
  return kernel
}

/** The words of the error, or everything that the file says if it is accepted. Anything but LTXError is thrown on. */
async function read(
  bytes: Uint8Array,
  backend: Backend,
  pageSize: PageSize,
  chunkSize: number,
): Promise<string> {
  try {
    const decoder = await Decoder.open(streamOf(bytes, chunkSize), { kernel: kernelFor(backend, pageSize) })
    const content = createHash('sha256')
    for await (const { pgnos, data } of decoder.batches()) content.update(pgnos).update(data)
    const trailer = await decoder.finish()
    return `accepted ${words(decoder.header)} ${words(trailer)} ${content.digest('hex')}`
  } catch (error) {
    if (!isLTXError(error)) throw error
    return `${error.code} at ${error.offset}: ${error.message}`
  }
}

function words(value: object): string {
  return JSON.stringify(value, (_, field: unknown) => (typeof field === 'bigint' ? String(field) : field))
}

function pageSizeOf(bytes: Uint8Array): PageSize {
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(8) as PageSize
}

/** Reads broken bytes with both kernels; they must agree. Returns what they say. */
async function readBoth(
  bytes: Uint8Array,
  pageSize: PageSize,
  chunkSize: number,
  where: string,
): Promise<string> {
  const [js, wasm] = [
    await read(bytes, 'js', pageSize, chunkSize),
    await read(bytes, 'wasm', pageSize, chunkSize),
  ]
  if (js !== wasm) expect.fail(`js says ${js}, wasm ${wasm}: ${where}`)
  return js
}

/**
 * Changes every `stride`th byte of a file and counts what is refused. What is not must be the file that it was: the same header, pages and
 * trailer, as when a match in a run of zeros takes them from elsewhere.
 */
async function flipAll(
  { name, bytes }: Sample,
  masks: readonly number[],
  stride = 1,
): Promise<{ refused: number; unseen: number }> {
  const pageSize = pageSizeOf(bytes)
  const whole = await readBoth(bytes, pageSize, 1000, name)
  expect(whole).toMatch(/^accepted/)
  const counts = { refused: 0, unseen: 0 }
  const copy = new Uint8Array(bytes)
  for (let at = seed % stride; at < copy.byteLength; at += stride) {
    for (const mask of masks) {
      copy[at] = bytes[at]! ^ mask
      const where = `${name}, byte ${at} ^ ${mask}, seed ${seed}`
      const said = await readBoth(copy, pageSize, at % 3 === 0 ? 97 : 65536, where)
      if (!said.startsWith('accepted')) counts.refused++
      else if (said === whole) counts.unseen++
      else expect.fail(`accepted as another file: ${where}`)
    }
    copy[at] = bytes[at]!
  }
  return counts
}

describe('a file with one byte changed is refused alike by both kernels, or is still the same file', () => {
  test.each(golden.filter(({ bytes }) => bytes.byteLength < 4000))('$name', async (sample) => {
    const { refused, unseen } = await flipAll(
      sample,
      sample.bytes.byteLength < 2000 ? [1, 0x80, 0xff, 0x10] : [1, 0xff],
    )
    expect(unseen).toBeLessThan(refused / 10)
  })

  test('larger golden files, every seventh byte', async () => {
    for (const sample of golden.filter(({ bytes }) => bytes.byteLength >= 4000)) {
      const { refused, unseen } = await flipAll(sample, [1 << (seed % 8)], 7)
      expect(unseen).toBeLessThan(refused / 10)
    }
  })

  test('random files: snapshots, chain proofs, pages of the older kind', async () => {
    for (const sample of random) {
      const { refused } = await flipAll(sample, [1 << (seed % 8), 0xff])
      expect(refused).toBeGreaterThan(100)
    }
  })
})

test('a file that is cut anywhere, or has bytes too many anywhere, is refused alike by both kernels', async () => {
  const extra = new Random(seed)
  for (const { name, bytes } of [...golden.slice(0, 12), ...random]) {
    const pageSize = pageSizeOf(bytes)
    for (let at = 0; at < bytes.byteLength; at++) {
      const cut = await readBoth(bytes.subarray(0, at), pageSize, 300, `${name} cut at ${at}`)
      expect(cut).not.toMatch(/^accepted/)
      const added = Buffer.concat([
        bytes.subarray(0, at),
        Uint8Array.of(extra.below(256)),
        bytes.subarray(at),
      ])
      const taken = Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + 1)])
      for (const longer of at % 3 === 0 ? [added, taken] : []) {
        const said = await readBoth(
          longer,
          pageSize,
          65536,
          `${name} with a byte more or less at ${at}, seed ${seed}`,
        )
        expect(said).not.toMatch(/^accepted/)
      }
    }
  }
})

test('a file with another number in place of a size, a page number or a flag is refused alike by both kernels', async () => {
  const numbers = [
    0,
    1,
    2,
    5,
    16,
    255,
    256,
    4095,
    65535,
    65536,
    66_000,
    2 ** 24,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32 - 1,
  ]
  for (const { name, bytes } of [...golden, ...random]) {
    const header = (await Decoder.open(streamOf(bytes))).header
    for (const at of fields(bytes, header)) {
      const view = new DataView(new Uint8Array(bytes).buffer)
      const was = view.getUint32(at)
      for (const number of [
        ...numbers,
        was - 1,
        was + 1,
        was * 2,
        header.pageSize + Math.floor(header.pageSize / 255) + 16,
      ]) {
        if (number >>> 0 === was) continue
        view.setUint32(at, number)
        const said = await readBoth(
          new Uint8Array(view.buffer),
          header.pageSize,
          65536,
          `${name}: ${number} at ${at}`,
        )
        expect(said).not.toMatch(/^accepted/)
      }
    }
  }
})

/** Where the 4-byte numbers of a file are: in the header, in the first frames, in what follows the pages. */
function fields(bytes: Uint8Array, { pageSize }: Header): number[] {
  const at = [0, 4, 8, 12, 16, 20, 24, 28, 32, 36, 48, 56, 64, 68]
  const view = new DataView(bytes.buffer, bytes.byteOffset)
  let frame = 100
  for (let i = 0; i < 4 && view.getUint32(frame) !== 0 && view.getUint16(frame + 4) === 1; i++) {
    at.push(frame, frame + 6)
    frame += 10 + view.getUint32(frame + 6)
    expect(frame).toBeLessThan(100 + (i + 1) * (pageSize + 300))
  }
  const end = bytes.byteLength
  return [...at, frame, end - 24, end - 20, end - 16, end - 12, end - 8, end - 4]
}
