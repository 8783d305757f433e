import { type ByteStream, Decoder, isLTXError } from '@sqlstream/ltx'
import { expect, test } from 'vitest'
import { StreamReader } from '../src/byte-stream.ts'
import { header, makeFile, pageData } from './files.ts'

/** A file of some 400 KB: several fills of a kernel of 256 KiB. */
const pages = Array.from({ length: 150 }, (_, i) => ({ pgno: i + 1, data: pageData(4096, i) }))
const file = makeFile(header(1, 1, 150, { pageSize: 4096 }), pages)

interface MemorySource extends ByteStream {
  readonly calls: { next: number; readInto: number; returned: number }
}

/** A source that reads into memory, `most` bytes at a time, and otherwise yields chunks of `chunk` bytes. */
function memorySource(bytes: Uint8Array, most: number, chunk = 1000): MemorySource {
  const calls = { next: 0, readInto: 0, returned: 0 }
  let at = 0
  return {
    calls,
    async readInto(target) {
      calls.readInto++
      const part = bytes.subarray(at, at + Math.min(most, target.byteLength))
      target.set(part)
      at += part.byteLength
      return part.byteLength
    },
    [Symbol.asyncIterator]: () => ({
      async next() {
        calls.next++
        const value = bytes.slice(at, at + chunk)
        at += value.byteLength
        return value.byteLength === 0 ? { done: true, value: undefined } : { done: false, value }
      },
      async return() {
        calls.returned++
        return { done: true, value: undefined }
      },
    }),
  }
}

async function decodeAll(source: ByteStream, signal?: AbortSignal): Promise<Uint8Array> {
  const decoder = await Decoder.open(source, { batchBytes: 256 * 1024, signal })
  const data: Uint8Array[] = []
  for await (const page of decoder) data.push(page.data)
  await decoder.finish()
  return Buffer.concat(data)
}

const expected = Buffer.concat(pages.map(({ data }) => data))

test.each([1, 2, 999, 65_535, 65_536, 1_000_000])(
  'a file that comes straight into the kernel, at most %i bytes at a time, decodes',
  async (most) => {
    const source = memorySource(file, most)
    expect(expected.equals(await decodeAll(source))).toBe(true)
    expect(source.calls.readInto).toBeGreaterThan(0)
  },
)

test('much is read straight, little by chunks: a header does not cost a call of its own', async () => {
  const source = memorySource(file, Infinity, 1000)
  const { readInto } = source
  let direct = 0
  source.readInto = async (target) => {
    expect(target.byteLength).toBeGreaterThanOrEqual(64 * 1024)
    const size = await readInto!(target)
    direct += size
    return size
  }
  await decodeAll(source)
  expect(source.calls.readInto).toBeLessThanOrEqual(5)
  expect(direct).toBeGreaterThan(file.byteLength * 0.7)
})

test('bytes of a pending chunk come before those that are read straight', async () => {
  const reader = new StreamReader(memorySource(file, Infinity, 300), undefined)
  expect([...(await reader.exact(100, 'head'))]).toEqual([...file.subarray(0, 100)])
  const target = new Uint8Array(200_000)
  expect(await reader.fill(target, 50, 200_000)).toBe(200_000)
  expect(target.subarray(0, 50).every((byte) => byte === 0)).toBe(true)
  expect(Buffer.from(target.subarray(50)).equals(file.subarray(100, 200_050))).toBe(true)
  expect(reader.position).toBe(200_050)
  reader.unread(target.subarray(199_000))
  expect(await reader.fill(target, 0, 200_000)).toBe(Math.min(200_000, file.byteLength - 199_050))
  expect(Buffer.from(target).subarray(0, 1000).equals(file.subarray(199_050, 200_050))).toBe(true)
})

test('a source that ends in the middle is truncated, wherever it ends', async () => {
  for (const size of [150_000, 200_000, file.byteLength - 1]) {
    for (const most of [70_000, 1_000_000]) {
      await expect(decodeAll(memorySource(file.subarray(0, size), most))).rejects.toSatisfy((e) =>
        isLTXError(e, 'truncated'),
      )
    }
  }
})

test('a failure while bytes come straight is passed on, and the source is let go', async () => {
  const failure = new Error('connection lost')
  const source = memorySource(file, 100_000)
  const { readInto } = source
  source.readInto = async (target) => {
    if (source.calls.readInto === 1) throw failure
    return readInto!(target)
  }
  await expect(decodeAll(source)).rejects.toBe(failure)
  expect(source.calls.returned).toBe(1)
})

test('an abort rejects with its reason while readInto hangs, and does not wait for the source to close', async () => {
  const controller = new AbortController()
  const reason = new Error('enough')
  const source = memorySource(file, 100_000)
  source.readInto = () => {
    queueMicrotask(() => controller.abort(reason))
    return new Promise(() => {})
  }
  await expect(decodeAll(source, controller.signal)).rejects.toBe(reason)
  expect(source.calls.returned).toBe(1)
})

test.each([-1, 1.5, Number.NaN, 10_000_000])('a source that claims %d bytes is refused', async (size) => {
  const source = memorySource(file, 100_000)
  source.readInto = async () => size
  await expect(decodeAll(source)).rejects.toThrow(RangeError)
})
