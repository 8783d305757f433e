import {
  CHECKSUM_FLAG,
  type Checksum,
  type Header,
  isLTXError,
  type LTXErrorCode,
  mergeFiles,
  type Page,
  toChecksum,
} from '@sqlstream/ltx'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { databaseChecksum, decodeFile, header, makeFile, page, pageData, pageRange } from './files.ts'
import { collect, streamOf } from './golden.ts'
import { assemble, oldFrame } from './handmade.ts'

const refused = (code: LTXErrorCode) => expect.toSatisfy((e: unknown) => isLTXError(e, code))

async function merge(...files: Uint8Array[]): Promise<Uint8Array> {
  return await collect(mergeFiles(files.map((bytes) => streamOf(bytes, 333))))
}

/** Pages with bytes that tell which file they are from. */
function pages(file: number, ...pgnos: number[]): Page[] {
  return pgnos.map((pgno) => page(pgno, 512, file * 100 + pgno))
}

describe('mergeFiles', () => {
  test('M4 M6: takes the newest copy of each page, and header fields as the format says', async () => {
    const first = makeFile(header(2, 4, 9, { nodeId: 5n, walOffset: 32, walSize: 9 }), pages(1, 1, 3, 5, 9))
    const second = makeFile(header(5, 5, 9, { nodeId: 6n }), pages(2, 3, 4))
    const third = makeFile(header(6, 8, 9, { nodeId: 7n }), pages(3, 4, 9))
    const merged = await decodeFile(await merge(first, second, third))
    const { timestamp } = header(6, 8, 9)
    expect(merged.header).toEqual({ ...header(2, 8, 9), timestamp, nodeId: 7n })
    expect(merged.pages).toEqual([
      ...pages(1, 1),
      ...pages(2, 3),
      ...pages(3, 4),
      ...pages(1, 5),
      ...pages(3, 9),
    ])
  })

  test('M7: copies frames as they are', async () => {
    // Blocks that our encoder would not make: literals only, though they could shrink.
    const data = new Uint8Array(512)
    const frame = Buffer.concat([Uint8Array.of(0, 0, 0, 3, 0, 1, 0, 0, 2, 3, 0xf0, 255, 242), data])
    const plain = assemble(header(2, 2, 9), [[frame, Buffer.concat([frame.subarray(0, 10), data]), 3]])
    const merged = await merge(plain, makeFile(header(3, 3, 9), [page(4)]))
    expect(Buffer.from(merged.subarray(100, 100 + frame.byteLength)).equals(frame)).toBe(true)
    expect((await decodeFile(merged)).pages).toEqual([{ pgno: 3, data }, page(4)])
  })

  test('M7: compresses frames of the older kind anew', async () => {
    const old = assemble(header(2, 2, 9), [oldFrame(page(3)), oldFrame(page(5))])
    const merged = await merge(old, makeFile(header(3, 3, 9), [page(4)]))
    expect(
      Buffer.from(merged).equals(
        await merge(
          makeFile(header(2, 3, 9, { timestamp: header(3, 3, 9).timestamp }), [page(3), page(4), page(5)]),
        ),
      ),
    ).toBe(true)
  })

  test('one file merges to itself', async () => {
    const file = makeFile(header(1, 3, 30), pageRange(1, 30))
    expect(Buffer.from(await merge(file)).equals(file)).toBe(true)
  })

  test('M4 T14: drops pages above the last commit, and pages that a shrink removed though nothing newer replaces them', async () => {
    const before = makeFile(header(2, 2, 9), pages(1, 4, 8, 9))
    const shrink = makeFile(header(3, 3, 5), pages(2, 1))
    const merged = await decodeFile(await merge(before, shrink))
    expect(merged.header.commit).toBe(5)
    expect(merged.pages).toEqual([...pages(2, 1), ...pages(1, 4)])
    const grow = makeFile(header(4, 4, 8), pages(3, 6, 7, 8))
    expect((await decodeFile(await merge(before, shrink, grow))).pages).toEqual([
      ...pages(2, 1),
      ...pages(1, 4),
      ...pages(3, 6, 7, 8),
    ])
  })

  test('M5: refuses a page that a shrink removed and growth did not bring back', async () => {
    const before = makeFile(header(2, 2, 9), pages(1, 4, 8, 9))
    const shrink = makeFile(header(3, 3, 5), pages(2, 1))
    const holes = makeFile(header(4, 4, 8), pages(3, 6, 7))
    await expect(merge(before, shrink, holes)).rejects.toEqual(refused('page-missing'))
    await expect(merge(shrink, holes)).rejects.toEqual(refused('page-missing'))
    // It may come later.
    const later = makeFile(header(5, 5, 8), pages(4, 8))
    expect((await decodeFile(await merge(before, shrink, holes, later))).pages.at(-1)).toEqual(pages(4, 8)[0])
    // What the database was before the first source is not known, so its growth cannot be judged.
    expect((await decodeFile(await merge(holes))).pages).toEqual(pages(3, 6, 7))
  })

  test('P6 M5: refuses a snapshot with a hole', async () => {
    const snapshot = makeFile(header(1, 1, 2), pageRange(1, 2))
    const growth = makeFile(header(2, 2, 4), [page(4)])
    await expect(merge(snapshot, growth)).rejects.toEqual(refused('page-missing'))
    expect(
      (await decodeFile(await merge(snapshot, growth, makeFile(header(3, 3, 4), [page(3)])))).pages,
    ).toEqual(pageRange(1, 4))
  })

  test('M1: refuses a gap, an overlap and a wrong order', async () => {
    const file = (min: number, max: number) => makeFile(header(min, max, 9), [page(3)])
    await expect(merge(file(2, 3), file(5, 5))).rejects.toEqual(refused('non-contiguous'))
    await expect(merge(file(2, 3), file(3, 5))).rejects.toEqual(refused('non-contiguous'))
    await expect(merge(file(4, 4), file(3, 3))).rejects.toEqual(refused('non-contiguous'))
    await expect(merge(file(2, 2), file(2, 2))).rejects.toEqual(refused('non-contiguous'))
  })

  test('M1: takes a file that repeats transactions, if it is told to', async () => {
    const overlapping = { overlapping: true }
    const merging = (...files: Uint8Array[]) =>
      collect(
        mergeFiles(
          files.map((bytes) => streamOf(bytes, 333)),
          overlapping,
        ),
      )
    const snapshot = makeFile(header(1, 25, 9), pages(1, 1, 2, 3, 4, 5, 6, 7, 8, 9))
    const wide = makeFile(header(3, 40, 8), pages(2, 3, 5))
    const merged = await decodeFile(await merging(snapshot, wide))
    expect(merged.header).toMatchObject({ minTXID: 1n, maxTXID: 40n, commit: 8 })
    expect(merged.pages).toEqual([
      ...pages(1, 1, 2),
      ...pages(2, 3),
      ...pages(1, 4),
      ...pages(2, 5),
      ...pages(1, 6, 7, 8),
    ])
    for (const [min, max] of [
      [3, 25],
      [27, 40],
    ] as const) {
      const wrong = makeFile(header(min, max, 8), pages(2, 3))
      await expect(merging(snapshot, wrong)).rejects.toEqual(refused('non-contiguous'))
    }
  })

  test('M2: refuses different page sizes', async () => {
    const small = makeFile(header(2, 2, 9), [page(3)])
    const large = makeFile(header(3, 3, 9, { pageSize: 1024 }), [page(3, 1024)])
    await expect(merge(small, large)).rejects.toEqual(refused('page-size-mismatch'))
  })

  test('refuses to merge nothing', () => {
    expect(() => mergeFiles([])).toThrow(RangeError)
  })
})

describe('mergeFiles and checksums', () => {
  const sum = (n: number): Checksum => toChecksum(CHECKSUM_FLAG | BigInt(n))
  const proven = (txid: number, pre: number, post: number) =>
    makeFile(header(txid, txid, 9, { proof: { preApplyChecksum: sum(pre), postApplyChecksum: sum(post) } }), [
      page(txid),
    ])

  test('M3 M6: proofs that meet become one from first to last, and need all sources', async () => {
    const merged = await decodeFile(await merge(proven(2, 10, 20), proven(3, 20, 30), proven(4, 30, 40)))
    expect(merged.header.proof).toEqual({ preApplyChecksum: sum(10), postApplyChecksum: sum(40) })
    const unproven = makeFile(header(3, 3, 9), [page(3)])
    expect(
      (await decodeFile(await merge(proven(2, 10, 20), unproven, proven(4, 30, 40)))).header.proof,
    ).toBeUndefined()
  })

  test('M3: refuses proofs that do not meet: different histories', async () => {
    await expect(merge(proven(2, 10, 20), proven(3, 21, 30))).rejects.toEqual(refused('checksum-mismatch'))
  })

  test('C4: a merged snapshot has the checksum that its proof claims, or is refused', async () => {
    const base = pageRange(1, 3)
    const next = [pageData(512, 50)].map((data) => ({ pgno: 2, data }))
    const after = [base[0]!, next[0]!, base[2]!]
    const proof = (pre: Checksum, post: Checksum) => ({
      proof: { preApplyChecksum: pre, postApplyChecksum: post },
    })
    const snapshot = makeFile(header(1, 1, 3, proof(toChecksum(CHECKSUM_FLAG), databaseChecksum(base))), base)
    const good = makeFile(header(2, 2, 3, proof(databaseChecksum(base), databaseChecksum(after))), next)
    expect((await decodeFile(await merge(snapshot, good))).pages).toEqual(after)
    const lying = makeFile(header(2, 2, 3, proof(databaseChecksum(base), sum(7))), next)
    await expect(merge(snapshot, lying)).rejects.toEqual(refused('checksum-mismatch'))
  })

  test('M3: tracked checksums must meet too, and the result no longer tracks', async () => {
    const tracked = (txid: number, pre: number, post: number) =>
      makeFile(header(txid, txid, 9, { flags: 0, preApplyChecksum: sum(pre) }), [page(txid)], sum(post))
    const merged = await decodeFile(await merge(tracked(2, 10, 20), tracked(3, 20, 30)))
    expect(merged.header.flags).toBe(2)
    expect(merged.trailer.postApplyChecksum).toBe(0n)
    await expect(merge(tracked(2, 10, 20), tracked(3, 21, 30))).rejects.toEqual(refused('checksum-mismatch'))
  })

  test('M8: a corrupt source is noticed before the result ends', async () => {
    const good = makeFile(header(2, 2, 9), [page(3)])
    const bytes = new Uint8Array(makeFile(header(3, 3, 9), [page(4)]))
    bytes[bytes.length - 1] = bytes.at(-1)! ^ 1
    await expect(merge(good, bytes)).rejects.toEqual(refused('checksum-mismatch'))
    await expect(merge(good, bytes.subarray(0, -3))).rejects.toEqual(refused('truncated'))
  })
})

describe('mergeFiles and its sources', () => {
  test('pulls no more than a window ahead, whatever the size of the sources', async () => {
    let ahead = 0
    async function* counted(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      for (let at = 0; at < bytes.byteLength; at += 4096) {
        ahead += 4096
        yield bytes.subarray(at, at + 4096)
      }
    }
    const noise = Array.from({ length: 4000 }, (_, i) => page(i + 1, 512, 4 * i))
    const files = [makeFile(header(1, 1, 4000), noise), makeFile(header(2, 2, 4000), noise.slice(0, 3000))]
    const merging = mergeFiles(files.map(counted))[Symbol.asyncIterator]()
    const first = await merging.next()
    expect(first.value!.byteLength).toBeGreaterThan(200_000)
    expect(ahead).toBeLessThan(2_000_000)
    await merging.return?.()
  })

  test('lets all sources go when the consumer stops, when one fails, and on abort', async () => {
    let open = 0
    async function* tracked(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
      open++
      try {
        for (let at = 0; at < bytes.byteLength; at += 4096) yield bytes.subarray(at, at + 4096)
      } finally {
        open--
      }
    }
    const noise = Array.from({ length: 4000 }, (_, i) => page(i + 1, 512, 4 * i))
    const files = [makeFile(header(1, 1, 4000), noise), makeFile(header(2, 2, 4000), noise)]
    for await (const _ of mergeFiles(files.map(tracked))) {
      expect(open).toBe(2)
      break
    }
    expect(open).toBe(0)
    const foreign = new Uint8Array(200)
    await expect(collect(mergeFiles([files[0]!, foreign].map(tracked)))).rejects.toEqual(refused('bad-magic'))
    expect(open).toBe(0)
    const controller = new AbortController()
    const reason = new Error('enough')
    const aborted = async (): Promise<void> => {
      for await (const _ of mergeFiles(files.map(tracked), { signal: controller.signal }))
        controller.abort(reason)
    }
    await expect(aborted()).rejects.toBe(reason)
    expect(open).toBe(0)
  })

  test('reports progress up to the last page, and hands out chunks to keep', async () => {
    const noise = Array.from({ length: 4000 }, (_, i) => page(i + 1, 512, 4 * i))
    const file = makeFile(header(1, 1, 4000), noise)
    const progress: [number, number][] = []
    const bytes = await collect(
      mergeFiles([streamOf(file)], { onProgress: (pgno, commit) => void progress.push([pgno, commit]) }),
    )
    expect(Buffer.from(bytes).equals(file)).toBe(true)
    expect(progress.length).toBeGreaterThan(5)
    expect(progress.at(-1)).toEqual([4000, 4000])
    expect(progress.map(([pgno]) => pgno)).toEqual(progress.map(([pgno]) => pgno).toSorted((a, b) => a - b))
  })

  test('leaves a chunk that is to be used again as it is until the one after the next is asked for', async () => {
    const noise = Array.from({ length: 4000 }, (_, i) => page(i + 1, 512, 4 * i))
    const file = makeFile(header(1, 1, 4000), noise)
    const parts: Uint8Array[] = []
    const memories = new Set<ArrayBufferLike>()
    let before: { readonly chunk: Uint8Array; readonly copy: Uint8Array } | undefined
    for await (const chunk of mergeFiles([streamOf(file, 1000)], { reuse: true })) {
      if (before) expect(Buffer.compare(before.chunk, before.copy)).toBe(0)
      before = { chunk, copy: chunk.slice() }
      parts.push(before.copy)
      memories.add(chunk.buffer)
    }
    expect(Buffer.concat(parts).equals(file)).toBe(true)
    expect(parts.length).toBeGreaterThan(5)
    expect(memories.size).toBeLessThan(5)
  })
})

test('merges many files, small and large in turns, more than may have large windows', async () => {
  const commit = 40_000
  const newest = new Map<number, Page>()
  const files = Array.from({ length: 40 }, (_, n) => {
    // Of 512 bytes a window holds 512 pages; every third file is larger.
    const count = n % 3 === 0 ? 600 : 5
    const changed = Array.from({ length: count }, (_, i) => page(1 + i * 61 + (n % 7), 512, n * 1000 + i))
    for (const p of changed) newest.set(p.pgno, p)
    return makeFile(header(n + 2, n + 2, commit), changed)
  })
  const expected = makeFile(
    header(2, 41, commit),
    [...newest.values()].toSorted((a, b) => a.pgno - b.pgno),
  )
  const merged = await collect(mergeFiles(files.map((bytes) => streamOf(bytes, 5000))))
  expect(Buffer.from(merged).equals(expected)).toBe(true)
  // A damaged end is found of both kinds.
  for (const n of [0, 1, 38, 39]) {
    const damaged = files.map((bytes, i) => (i === n ? Buffer.from(bytes) : bytes))
    damaged[n]![damaged[n]!.length - 1]! ^= 1
    await expect(collect(mergeFiles(damaged.map((bytes) => streamOf(bytes, 5000))))).rejects.toEqual(
      refused('checksum-mismatch'),
    )
  }
})

test('M4 M5: any history merges to the same database as applying its files one by one, however it is cut', async () => {
  const step = fc.record({
    commit: fc.integer({ min: 1, max: 12 }),
    touch: fc.array(fc.integer({ min: 1, max: 12 }), { maxLength: 6 }),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 8 }), fc.nat(), async (steps, cut) => {
      const files: Uint8Array[] = []
      let database = new Map<number, Page>()
      let size = 0
      for (const [i, { commit, touch }] of steps.entries()) {
        const grown = Array.from({ length: Math.max(0, commit - size) }, (_, n) => size + 1 + n)
        const wanted = [...new Set([...touch.filter((pgno) => pgno <= commit), ...grown])].toSorted(
          (a, b) => a - b,
        )
        const changed = pages(i + 1, ...wanted)
        files.push(makeFile(header(i + 1, i + 1, commit), changed))
        for (const p of changed) database.set(p.pgno, p)
        database = new Map([...database].filter(([pgno]) => pgno <= commit))
        size = commit
      }
      const expected = [...database.values()].toSorted((a, b) => a.pgno - b.pgno)
      const at = cut % files.length
      const parts =
        at === 0
          ? [await merge(...files)]
          : [await merge(...files.slice(0, at)), await merge(...files.slice(at))]
      const whole: { header: Header; pages: readonly Page[] } = await decodeFile(await merge(...parts))
      expect(whole.pages).toEqual(expected)
      expect(whole.header.commit).toBe(size)
    }),
    { numRuns: 60 },
  )
})
