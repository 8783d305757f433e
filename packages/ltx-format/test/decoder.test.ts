import {
  CHECKSUM_FLAG,
  checksumPage,
  createKernel,
  Decoder,
  isLTXError,
  type LTXErrorCode,
  readPageIndex,
  toChecksum,
  toTXID,
} from '@sqlstream/ltx'
import { describe, expect, test } from 'vitest'
import { databaseChecksum, decodeFile, header, makeFile, memoryFile, page, pageRange } from './files.ts'
import { streamOf } from './golden.ts'
import { assemble, be, type FrameOptions, oldFrame } from './handmade.ts'

const refused = (code: LTXErrorCode) => expect.toSatisfy((e: unknown) => isLTXError(e, code))

/** A page with any block as its data. */
function blockFrame(pgno: number, block: Uint8Array, flags = 1): [Uint8Array, Uint8Array, number] {
  const head = Buffer.concat([be(pgno, 4), Uint8Array.of(flags >> 8, flags), be(block.byteLength, 4)])
  return [Buffer.concat([head, block]), head, pgno]
}

describe('decoder', () => {
  test('T3: pages of the older kind, flags 0 with an LZ4 frame, decode with the checksum verified', async () => {
    const options: FrameOptions[] = [
      {},
      { contentChecksum: true },
      { blockChecksums: true, contentSize: true },
      { linked: true, blockSize: 100 },
      { stored: true },
    ]
    const pages = options.map((_, i) => page(i + 1))
    const file = assemble(
      header(1, 1, 5),
      pages.map((p, i) => oldFrame(p, options[i])),
    )
    for (const chunk of [1, 3, 50, 4096]) expect((await decodeFile(file, chunk)).pages).toEqual(pages)
  })

  test('P2: both kinds of pages may be in one file', async () => {
    const modern = makeFile(header(2, 2, 9), [page(4)])
    const frame = modern.subarray(100, modern.byteLength - 6 - 5 - 24)
    const hashed = Buffer.concat([frame.subarray(0, 10), page(4).data])
    const file = assemble(header(2, 2, 9), [oldFrame(page(3)), [frame, hashed, 4], oldFrame(page(5))])
    expect((await decodeFile(file)).pages).toEqual([page(3), page(4), page(5)])
  })

  test('H6 T2 C3 C4: files that track checksums decode, and a snapshot must have the checksum it claims', async () => {
    const pages = pageRange(1, 4)
    const sum = databaseChecksum(pages)
    const snapshot = makeFile(header(1, 3, 4, { flags: 0 }), pages, sum)
    expect((await decodeFile(snapshot)).trailer.postApplyChecksum).toBe(sum)
    const change = header(4, 4, 4, { flags: 0, preApplyChecksum: sum })
    expect((await decodeFile(makeFile(change, [page(2)], toChecksum(CHECKSUM_FLAG | 5n)))).header).toEqual(
      change,
    )

    const frames = pages.map((p) => oldFrame(p))
    const wrong = assemble(header(1, 3, 4, { flags: 0 }), frames, { postApplyChecksum: sum ^ 1n })
    await expect(decodeFile(wrong)).rejects.toSatisfy((e) => isLTXError(e, 'checksum-mismatch'))
    const none = assemble(header(1, 3, 4, { flags: 0 }), frames, { postApplyChecksum: 0n })
    await expect(decodeFile(none)).rejects.toEqual(refused('bad-trailer'))
    const untracked = assemble(header(1, 3, 4), frames, { postApplyChecksum: sum })
    await expect(decodeFile(untracked)).rejects.toEqual(refused('bad-trailer'))
  })

  test('C4 H8: a snapshot whose proof does not fit its pages is refused', async () => {
    const pages = pageRange(1, 4)
    const post = databaseChecksum(pages)
    const proof = (sum: bigint) => ({
      preApplyChecksum: toChecksum(CHECKSUM_FLAG),
      postApplyChecksum: toChecksum(sum),
    })
    const frames = pages.map((p) => oldFrame(p))
    const right = await decodeFile(assemble(header(1, 3, 4, { proof: proof(post) }), frames))
    expect(right.header.proof).toEqual(proof(post))
    const wrong = assemble(header(1, 3, 4, { proof: proof(post ^ 2n) }), frames)
    await expect(decodeFile(wrong)).rejects.toEqual(refused('checksum-mismatch'))
  })

  test('batches carry page numbers, data, checksums and frames, and use the kernel that was given', async () => {
    const kernel = createKernel({ pageSize: 512, batchBytes: 3 * 512 })
    const pages = pageRange(1, 8)
    const file = makeFile(header(1, 1, 8), pages)
    const decoder = await Decoder.open(streamOf(file), { kernel })
    expect(decoder.kernel).toBe(kernel)
    const counts: number[] = []
    const frames: Uint8Array[] = []
    let i = 0
    for await (const batch of decoder.batches()) {
      counts.push(batch.count)
      frames.push(new Uint8Array(batch.frames))
      expect(batch.frames.byteLength).toBe(batch.frameSizes.reduce((a, b) => a + b))
      for (let n = 0; n < batch.count; n++, i++) {
        expect(batch.pgnos[n]).toBe(pages[i]!.pgno)
        expect(Buffer.from(batch.data.subarray(n * 512, n * 512 + 512)).equals(pages[i]!.data)).toBe(true)
        const sum = (BigInt(batch.sums[2 * n + 1]!) << 32n) | BigInt(batch.sums[2 * n]!)
        expect(sum).toBe(checksumPage(pages[i]!))
      }
    }
    expect(counts).toEqual([3, 3, 2])
    const joined = Buffer.concat(frames)
    expect(joined.equals(file.subarray(100, 100 + joined.byteLength))).toBe(true)
    await decoder.finish()
  })

  test('a kernel of another page size is left alone', async () => {
    const kernel = createKernel({ pageSize: 1024 })
    const decoder = await Decoder.open(streamOf(makeFile(header(2, 2, 5), [page(1)])), { kernel })
    expect(decoder.kernel.pageSize).toBe(512)
    await decoder.finish()
  })

  test('finish drains what was not read, after a loop that was left too, and may be called again', async () => {
    const file = makeFile(header(1, 1, 20), pageRange(1, 20))
    const decoder = await Decoder.open(streamOf(file, 700), { batchBytes: 1024 })
    for await (const batch of decoder.batches()) if (batch.pgnos[0]! > 4) break
    const trailer = await decoder.finish()
    expect(await decoder.finish()).toEqual(trailer)
    expect(trailer.fileChecksum).toBe(
      new DataView(file.buffer, file.byteOffset).getBigUint64(file.byteLength - 8),
    )
  })

  test('bytes are read from pooled buffers, and chunks of any size, empty ones too', async () => {
    const file = makeFile(header(1, 1, 3), pageRange(1, 3))
    async function* pooled(): AsyncGenerator<Uint8Array> {
      const pool = Buffer.concat([Buffer.alloc(13, 0xee), file, Buffer.alloc(13, 0xee)])
      yield new Uint8Array(0)
      yield pool.subarray(13, 113)
      yield new Uint8Array(0)
      yield pool.subarray(113, 13 + file.byteLength)
      yield new Uint8Array(0)
    }
    const decoder = await Decoder.open(pooled())
    expect((await decoder.finish()).postApplyChecksum).toBe(0n)
  })
})

describe('decoder refuses', () => {
  const good = makeFile(header(2, 2, 9), [page(3), page(4)])

  test('T1: truncation at every offset, by code truncated, and bytes after the end', async () => {
    for (let size = 0; size < good.byteLength; size++) {
      for (const chunk of [size + 1, 7]) {
        await expect(decodeFile(good.subarray(0, size), chunk), `cut at ${size}`).rejects.toEqual(
          refused('truncated'),
        )
      }
    }
    await expect(decodeFile(Buffer.concat([good, Uint8Array.of(0)]))).rejects.toEqual(refused('bad-trailer'))
  })

  test('T3: every mutated byte: header, frames, end mark, index, trailer', async () => {
    const proof = {
      preApplyChecksum: toChecksum(CHECKSUM_FLAG | 1n),
      postApplyChecksum: toChecksum(CHECKSUM_FLAG | 2n),
    }
    const file = makeFile(header(2, 2, 9, { proof }), [page(3), page(4)])
    const index = await readPageIndex(memoryFile(file))
    const inBlock = (at: number) =>
      [0, 1].some((i) => at >= index.offsets[i]! + 10 && at < index.offsets[i]! + index.sizes[i]!)
    let harmless = 0
    for (let at = 0; at < file.byteLength; at++) {
      for (const mask of [1, 0x80, 0xff]) {
        const bytes = new Uint8Array(file)
        bytes[at] = bytes[at]! ^ mask
        const result = await decodeFile(bytes).catch((error: unknown) => error)
        if (isLTXError(result)) continue
        // Only a block can be written in more than one way (the same bytes may lie at two distances).
        expect(inBlock(at), `byte ${at} ^ ${mask}: ${result}`).toBe(true)
        expect(result).toMatchObject({ header: header(2, 2, 9, { proof }), pages: [page(3), page(4)] })
        harmless++
      }
    }
    expect(harmless).toBeLessThan(20)
  })

  const noisy = (flags: number, pgno = 3) => blockFrame(pgno, Uint8Array.of(0), flags)
  const sizeTooLong = new Uint8Array(good)
  sizeTooLong.set([0x7f, 0xff, 0xff, 0xff], 106)
  const broken: readonly [string, LTXErrorCode, Uint8Array][] = [
    ['P2: unknown page flags', 'bad-page', assemble(header(2, 2, 9), [noisy(2)])],
    ['P2: unknown high page flags', 'bad-page', assemble(header(2, 2, 9), [noisy(0x101)])],
    ['P8: page 0 that is no end mark', 'bad-page', assemble(header(2, 2, 9), [noisy(1, 0)])],
    [
      'P9: data longer than a page can need',
      'bad-page',
      assemble(header(2, 2, 9), [blockFrame(3, new Uint8Array(600))]),
    ],
    [
      'P9: data shorter than a page',
      'bad-page',
      assemble(header(2, 2, 9), [blockFrame(3, Uint8Array.of(0x10, 7))]),
    ],
    ['P9: an empty block', 'bad-page', assemble(header(2, 2, 9), [blockFrame(3, new Uint8Array(0))])],
    [
      'P3: pages out of order',
      'page-out-of-order',
      assemble(header(2, 2, 9), [oldFrame(page(4)), oldFrame(page(3))]),
    ],
    [
      'P3: a page twice',
      'page-out-of-order',
      assemble(header(2, 2, 9), [oldFrame(page(4)), oldFrame(page(4))]),
    ],
    ['P4: a page above commit', 'bad-page', assemble(header(2, 2, 9), [oldFrame(page(10))])],
    ['P5: the lock page', 'lock-page', assemble(header(2, 2, 2 ** 31), [oldFrame(page(2097153))])],
    [
      'P6: a snapshot with a hole',
      'page-missing',
      assemble(header(1, 2, 3), [oldFrame(page(1)), oldFrame(page(3))]),
    ],
    [
      'P6: a snapshot without its last page',
      'page-missing',
      assemble(header(1, 2, 3), [oldFrame(page(1)), oldFrame(page(2))]),
    ],
    ['P6: a snapshot without pages', 'page-missing', assemble(header(1, 2, 3), [])],
    [
      'P2: an LZ4 frame of half a page',
      'bad-page',
      assemble(header(2, 2, 9), [oldFrame({ pgno: 3, data: new Uint8Array(256) })]),
    ],
    [
      'P2: an LZ4 frame of two pages',
      'bad-page',
      assemble(header(2, 2, 9), [oldFrame({ pgno: 3, data: new Uint8Array(1024) })]),
    ],
    [
      'P2: an LZ4 frame that is too long to be a page',
      'bad-page',
      assemble(header(2, 2, 9), [
        oldFrame(
          { pgno: 3, data: new Uint8Array(65536).map((_, i) => Math.imul(i, 2654435761) >>> 24) },
          { stored: true },
        ),
      ]),
    ],
    [
      'I3: an index that names another page',
      'bad-index',
      assemble(header(2, 2, 9), [[oldFrame(page(3))[0], oldFrame(page(3))[1], 4]]),
    ],
    ['P9: a size that no page can have', 'bad-page', sizeTooLong],
    [
      'I3: an index that leaves a page out',
      'bad-index',
      assemble(header(2, 2, 9), [oldFrame(page(3))], { index: Uint8Array.of(0) }),
    ],
    [
      'I3: an index of varints that are longer than needed',
      'bad-index',
      assemble(header(2, 2, 9), [], { index: Uint8Array.of(0x80, 0) }),
    ],
    [
      'I2: an index size beyond 2^53',
      'bad-index',
      assemble(header(2, 2, 9), [], { indexSize: 2n ** 53n + 1n }),
    ],
    ['I2: an index size that is wrong', 'bad-index', assemble(header(2, 2, 9), [], { indexSize: 2n })],
  ]

  test.each(broken)('%s', async (_, code, file) => {
    await expect(decodeFile(file)).rejects.toEqual(refused(code))
    await expect(decodeFile(file, 1)).rejects.toEqual(refused(code))
  })

  test('P6 T16: but a snapshot across the lock page goes on with the page after it', async () => {
    // 32,768 pages of 64 KiB would be 2 GiB; one kernel page of zeros, written over and over, is enough.
    const { Encoder } = await import('@sqlstream/ltx')
    const commit = 16387
    const head = header(1, 1, commit, { pageSize: 65536 })
    async function* file(): AsyncGenerator<Uint8Array> {
      const encoder = new Encoder(head)
      yield encoder.start()
      const { pgnos, capacity } = encoder.kernel
      const all = Array.from({ length: commit }, (_, i) => i + 1).filter((pgno) => pgno !== 16385)
      for (let at = 0; at < all.length; at += capacity) {
        const batch = all.slice(at, at + capacity)
        pgnos.set(batch)
        yield encoder.encode(batch.length)
      }
      yield encoder.finish()
    }
    const decoder = await Decoder.open(file())
    let count = 0
    for await (const batch of decoder.batches()) count += batch.count
    await decoder.finish()
    expect(count).toBe(commit - 1)
  })
})

describe('decoder and its source', () => {
  const file = makeFile(header(1, 1, 20), pageRange(1, 20))

  /** The file in small chunks; tells whether it was given back. */
  function watched(
    bytes: Uint8Array,
    hangAfter = Infinity,
  ): { stream: AsyncIterable<Uint8Array>; state: { open: boolean } } {
    const state = { open: false }
    async function* chunks(): AsyncGenerator<Uint8Array> {
      state.open = true
      try {
        for (let at = 0; at < bytes.byteLength; at += 200) {
          if (at > hangAfter) throw new Error('pulled too far')
          yield bytes.subarray(at, at + 200)
        }
      } finally {
        state.open = false
      }
    }
    return { stream: chunks(), state }
  }

  test('lets the source go on close, on success and on failure', async () => {
    const closed = watched(file)
    const decoder = await Decoder.open(closed.stream)
    expect(closed.state.open).toBe(true)
    await decoder.close()
    await decoder.close()
    expect(closed.state.open).toBe(false)
    await expect(decoder.finish()).rejects.toThrow(TypeError)

    const whole = watched(file)
    await (await Decoder.open(whole.stream)).finish()
    expect(whole.state.open).toBe(false)

    const bytes = new Uint8Array(file)
    bytes[104] = 9
    const corrupt = watched(bytes)
    await expect((await Decoder.open(corrupt.stream)).finish()).rejects.toEqual(refused('bad-page'))
    expect(corrupt.state.open).toBe(false)

    const foreign = watched(new Uint8Array(300))
    await expect(Decoder.open(foreign.stream)).rejects.toEqual(refused('bad-magic'))
    expect(foreign.state.open).toBe(false)
  })

  test('reads no further than its window', async () => {
    const big = makeFile(header(1, 1, 100), pageRange(1, 100))
    const { stream } = watched(big, 8000)
    const decoder = await Decoder.open(stream, { batchBytes: 1024 })
    for await (const _ of decoder.batches()) break
    await decoder.close()
  })

  test('an abort rejects with its reason, even while the source hangs', async () => {
    const controller = new AbortController()
    const reason = new Error('enough')
    async function* hanging(): AsyncGenerator<Uint8Array> {
      yield file.subarray(0, 100)
      queueMicrotask(() => controller.abort(reason))
      await new Promise(() => {})
    }
    const decoder = await Decoder.open(hanging(), { signal: controller.signal })
    await expect(decoder.finish()).rejects.toBe(reason)
    await expect(Decoder.open(streamOf(file), { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
    const between = new AbortController()
    const whole = await Decoder.open(streamOf(file), { signal: between.signal, batchBytes: 512 })
    for await (const _ of whole.batches()) break
    between.abort(reason)
    await expect(whole.finish()).rejects.toBe(reason)
  })

  test('an error of the source comes through as it is', async () => {
    const failure = new Error('connection lost')
    async function* failing(): AsyncGenerator<Uint8Array> {
      yield file.subarray(0, 300)
      throw failure
    }
    const decoder = await Decoder.open(failing())
    await expect(decoder.finish()).rejects.toBe(failure)
    expect(toTXID(1)).toBe(decoder.header.minTXID)
  })
})
