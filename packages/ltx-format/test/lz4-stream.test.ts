import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { isLTXError } from '@sqlstream/ltx'
import * as lz4 from '@sqlstream/ltx/lz4'
import { expect, test } from 'vitest'
import { XXH32, xxh32 } from '../src/xxh32.ts'
import { pageData } from './files.ts'
import { golden, sha256 } from './golden.ts'
import { type FrameOptions, lz4Frame } from './handmade.ts'

/** A frame in portions of `step` bytes; notes whether it was let go. */
function source(bytes: Uint8Array, step = bytes.byteLength): AsyncIterable<Uint8Array> & { closed: boolean } {
  const stream = {
    closed: false,
    async *[Symbol.asyncIterator]() {
      try {
        for (let at = 0; at < bytes.byteLength; at += step) yield bytes.subarray(at, at + step)
      } finally {
        stream.closed = true
      }
    },
  }
  return stream
}

async function decoded(stream: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  const chunks: Uint8Array[] = []
  for await (const chunk of lz4.decompressFrameStream(stream)) chunks.push(chunk.slice())
  return Buffer.concat(chunks)
}

async function streamed(bytes: Uint8Array, step?: number): Promise<Uint8Array> {
  return await decoded(source(bytes, step))
}

const frameOptions: readonly FrameOptions[] = [
  {},
  { blockChecksums: true, contentChecksum: true, contentSize: true },
  { blockSize: 300, contentChecksum: true },
  { blockSize: 300, linked: true, contentSize: true },
  { blockSize: 65536, linked: true, contentChecksum: true },
  { stored: true, blockSize: 1000, blockChecksums: true },
  { stored: true, blockSize: 1000, linked: true },
]

test.each(frameOptions)(
  'L4: decodes a frame with %o while it arrives, however it is cut',
  async (options) => {
    for (const size of [0, 5000, 200_000]) {
      const data = pageData(size, 3)
      const frame = lz4Frame(data, options)
      for (const step of [7, 4096, frame.byteLength]) {
        expect(sha256(await streamed(frame, step))).toBe(sha256(data))
      }
    }
  },
)

test('L4: matches of a linked block reach into the block before it, those of an independent one do not', async () => {
  const first = pageData(200, 4)
  // A match of 200 at distance 200, then one literal.
  const second = Uint8Array.from([0x0f, 200, 0, 200 - 4 - 15, 0x10, 7])
  const rest = Buffer.concat([Uint8Array.of(second.byteLength, 0, 0, 0), second, Buffer.alloc(4)])
  for (const stored of [false, true]) {
    const linked = Buffer.concat([lz4Frame(first, { linked: true, stored }).subarray(0, -4), rest])
    expect([...(await streamed(linked))]).toEqual([...first, ...first, 7])
    const independent = Buffer.concat([lz4Frame(first, { stored }).subarray(0, -4), rest])
    await expect(streamed(independent)).rejects.toThrow('malformed block')
  }
})

test('L4: every mutated byte and every cut of a stream is noticed, and the source is let go', async () => {
  // As Litestream 0.3 writes them: of the content alone there is a checksum.
  const data = pageData(700, 3)
  const frame = lz4Frame(data, { blockSize: 400, contentChecksum: true })
  let harmless = 0
  async function refused(bytes: Uint8Array, what: string): Promise<void> {
    const stream = source(bytes, 50)
    const outcome = await decoded(stream).catch((error: unknown) => error)
    // A match that finds the same bytes elsewhere does no harm.
    const isSame = outcome instanceof Uint8Array && sha256(outcome) === sha256(data)
    if (!isSame) expect(isLTXError(outcome), what).toBe(true)
    else harmless++
    expect(stream.closed || bytes.byteLength === 0, what).toBe(true)
  }
  for (let at = 0; at < frame.byteLength; at++) {
    for (const mask of [1, 0x80, 0xff]) {
      const bytes = new Uint8Array(frame)
      bytes[at] = bytes[at]! ^ mask
      await refused(bytes, `byte ${at} ^ ${mask}`)
    }
    await refused(frame.subarray(0, at), `cut at ${at}`)
  }
  await refused(Buffer.concat([frame, frame]), 'twice')
  expect(harmless).toBeLessThan(10)
})

test('an abort ends a stream and lets the source go', async () => {
  const abort = new AbortController()
  const stream = source(lz4Frame(pageData(5000, 3), { blockSize: 300 }), 100)
  const chunks = lz4.decompressFrameStream(stream, { signal: abort.signal })
  await chunks.next()
  abort.abort(new Error('enough'))
  await expect(chunks.next()).rejects.toThrow('enough')
  expect(stream.closed).toBe(true)
})

test('a stream of a backup that Litestream 0.3 made is what the whole frame is', async () => {
  const replica = join(golden, 'v0.3/replica')
  const names = readdirSync(replica, { recursive: true, encoding: 'utf8' }).filter((n) => n.endsWith('.lz4'))
  expect(names.length).toBeGreaterThan(20)
  for (const name of names) {
    const bytes = readFileSync(join(replica, name))
    expect(sha256(await streamed(bytes, 1000))).toBe(sha256(lz4.decompressFrame(bytes)))
  }
})

test('xxHash32 of portions is that of the whole', () => {
  const data = pageData(1000, 3)
  for (const step of [1, 3, 15, 16, 17, 100, 999]) {
    const hash = new XXH32()
    for (let at = 0; at < data.byteLength; at += step) {
      hash.update(data.subarray(at, at + step))
      if (at < 200) expect(hash.digest()).toBe(xxh32(data.subarray(0, at + step)))
    }
    expect(hash.digest()).toBe(xxh32(data))
  }
})
