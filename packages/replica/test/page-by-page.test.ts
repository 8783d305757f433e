import { type Checksum, createKernel, PageIndex, toChecksum, toTXID } from '@sqlstream/ltx'
import { type BlobStore, MemoryStore, StorageError } from '@sqlstream/storage'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { isReplicaError, planRestore, Replica, type RestoreBase, restore } from '../src/index.ts'
import { PageSet } from '../src/restore/page-set.ts'
import { planReads } from '../src/restore/plan-reads.ts'
import { countRequests, type Request } from './counting-store.ts'
import { MemorySink } from './memory-sink.ts'
import { checksumOf, encodeFile, Model, noisePage, pageOf, put } from './model.ts'

const PAGE_SIZE = 16384
const LATEST = { kind: 'latest' } as const

/** Pages that do not compress, so that a file of 17 is read by its index. */
function pages(from: number, to: number, seed: number): Map<number, Uint8Array> {
  const map = new Map<number, Uint8Array>()
  for (let pgno = from; pgno <= to; pgno++) map.set(pgno, noisePage(PAGE_SIZE, seed * 10_000 + pgno))
  return map
}

async function stored(model: Model, inner: BlobStore = new MemoryStore()) {
  const { store, requests, open } = countRequests(inner)
  const replica = new Replica(store)
  for (let txid = 1; txid <= model.txid; txid++) await put(replica, 0, txid, txid, model.file(txid, txid))
  requests.length = 0
  return { replica, requests, open }
}

function bytesOf(requests: readonly Request[]): number {
  return requests.reduce((sum, { bytes }) => sum + bytes, 0)
}

/** A sink that has pages of some state already. */
function sinkWith(base: RestoreBase, image: Uint8Array): MemorySink {
  const sink = Object.assign(new MemorySink(), { base: async () => base })
  const begin = sink.begin.bind(sink)
  let isFirst = true
  sink.begin = async (shape) => {
    await begin(shape)
    if (isFirst) sink.image = image.slice()
    isFirst = false
  }
  return sink
}

/** What a target finds when it reads its own pages. */
function baseOf(image: Uint8Array, checksum: Checksum, without: readonly number[] = []): RestoreBase {
  const commit = image.byteLength / PAGE_SIZE
  const pageSet = new PageSet(commit)
  const sums = new Uint32Array(commit * 2)
  const kernel = createKernel({ pageSize: PAGE_SIZE, batchBytes: PAGE_SIZE })
  for (let pgno = 1; pgno <= commit; pgno++) {
    if (without.includes(pgno)) continue
    kernel.pages.set(image.subarray((pgno - 1) * PAGE_SIZE, pgno * PAGE_SIZE))
    kernel.pgnos[0] = pgno
    kernel.checksumPages(1)
    sums.set(kernel.pageSums.subarray(0, 2), pgno * 2 - 2)
    pageSet.add(pgno)
  }
  return { checksum, pages: pageSet, sums }
}

/** A large image, then changes to some of it. */
function history(): Model {
  const model = new Model(PAGE_SIZE)
  model.commit(400, pages(1, 400, 1))
  model.commit(400, pages(100, 299, 2))
  model.commit(401, new Map([...pages(5, 5, 3), ...pages(401, 401, 3)]))
  model.commit(380, pages(7, 7, 4))
  return model
}

test('R1: a page that a newer file holds is not read from an older one, where that saves more than a request', async () => {
  const model = history()
  const { replica, requests } = await stored(model)
  const plan = planRestore(await replica.catalog(), LATEST)
  requests.length = 0
  const sink = new MemorySink()
  const result = await restore(replica, plan, sink)
  expect(Buffer.compare(sink.image, model.image(4))).toBe(0)
  expect(result).toMatchObject({ proven: true, pagesKept: 0, commit: 380 })
  expect(sink.calls.filter((call) => call === 'truncate')).toEqual([])
  // Each of 380 pages once; a gap of one page is read, one of 200 is not. The indexes are small beside a page.
  expect(bytesOf(requests)).toBeGreaterThan(380 * PAGE_SIZE)
  expect(bytesOf(requests)).toBeLessThan(390 * PAGE_SIZE)
  expect(result.bytesRead).toBe(bytesOf(requests))
  // Two small files; of the two large ones the index and one or two parts.
  expect(requests.length).toBe(2 + (1 + 1) + (1 + 2))
})

test('R1: ten thousand small files cost a request each, and at most five more', async () => {
  const pageSize = 512
  const { store, requests } = countRequests(new MemoryStore())
  const replica = new Replica(store)
  const image = new Map<number, Uint8Array>()
  for (let pgno = 1; pgno <= 3000; pgno++) image.set(pgno, noisePage(pageSize, pgno))
  let checksum = checksumOf(image)
  const first = { preApplyChecksum: toChecksum(1n << 63n), postApplyChecksum: checksum }
  const spec = { pageSize, commit: 3000 } as const
  await put(replica, 9, 1, 1, encodeFile({ ...spec, min: 1, max: 1, pages: image, proof: first }))
  for (let txid = 2; txid <= 10_001; txid++) {
    const pgno = ((txid * 37) % 3000) + 1
    const changed = new Map([[pgno, noisePage(pageSize, 10_000 + txid)]])
    const before = checksum
    const old = checksumOf(new Map([[pgno, image.get(pgno)!]]))
    checksum = toChecksum(before ^ old ^ checksumOf(changed))
    image.set(pgno, changed.get(pgno)!)
    const proof = { preApplyChecksum: before, postApplyChecksum: checksum }
    await put(replica, 0, txid, txid, encodeFile({ ...spec, min: txid, max: txid, pages: changed, proof }))
  }
  requests.length = 0
  const sink = new MemorySink()
  const plan = planRestore(await replica.catalog(), LATEST)
  const result = await restore(replica, plan, sink)
  expect(result.proven).toBe(true)
  for (const [pgno, data] of image) {
    expect(Buffer.compare(sink.image.subarray((pgno - 1) * pageSize, pgno * pageSize), data)).toBe(0)
  }
  expect(plan.files.length).toBe(10_001)
  expect(requests.length).toBeLessThanOrEqual(plan.files.length + 5)
})

test('R1: whatever the history, the state is that of its TXID', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.record({
          commit: fc.integer({ min: 1, max: 60 }),
          from: fc.integer({ min: 1, max: 60 }),
          count: fc.integer({ min: 1, max: 40 }),
        }),
        { minLength: 1, maxLength: 6 },
      ),
      fc.integer({ min: 1, max: 6 }),
      async (steps, target) => {
        const model = new Model(PAGE_SIZE)
        for (const [i, { commit, from, count }] of steps.entries()) {
          const first = Math.min(from, commit)
          model.commit(commit, pages(first, Math.min(commit, first + count - 1), i + 1))
        }
        const txid = Math.min(target, model.txid)
        const { replica, open } = await stored(model)
        const sink = new MemorySink()
        const plan = planRestore(await replica.catalog(), { kind: 'txid', txid: toTXID(txid) })
        const result = await restore(replica, plan, sink)
        expect(Buffer.compare(sink.image, model.image(txid))).toBe(0)
        expect(result.pos.postApplyChecksum).toBe(model.states[txid]?.checksum)
        expect(open.size).toBe(0)
      },
    ),
    { numRuns: 60 },
  )
})

test('R2: one byte changed anywhere in a large file gives an error that names the file, or the right pages', async () => {
  const model = new Model(PAGE_SIZE)
  model.commit(40, pages(1, 40, 1))
  model.commit(40, new Map([[3, pageOf(PAGE_SIZE, 2)]]))
  const { replica } = await stored(model)
  const plan = planRestore(await replica.catalog(), LATEST)
  const [large] = plan.files
  const { body } = await replica.store.get(large!.key)
  const chunks: Uint8Array[] = []
  for await (const chunk of body) chunks.push(chunk)
  const bytes = Buffer.concat(chunks)
  let refused = 0
  for (let i = 0; i < 400; i++) {
    // The header, the frames, and the index and trailer with every byte.
    const at = i < 100 ? i : i < 200 ? bytes.length - i + 99 : Math.floor((i / 400) * bytes.length)
    const damaged = Uint8Array.from(bytes)
    damaged[at] = damaged[at]! ^ 0x10
    const store = new MemoryStore()
    await store.put(large!.key, damaged)
    await store.put(plan.files[1]!.key, model.file(2, 2))
    const sink = new MemorySink()
    const outcome = await restore(new Replica(store), plan, sink).catch((error: unknown) => error)
    if (outcome instanceof Error) {
      expect(
        isReplicaError(outcome, 'corrupt') || isReplicaError(outcome, 'diverged'),
        `${at}: ${outcome}`,
      ).toBe(true)
      expect(outcome).toMatchObject({ file: { key: large!.key } })
      expect(sink.result).toBeUndefined()
      refused++
    } else {
      // What nobody reads may be damaged: the header and the file checksum of a file that is read by its index.
      expect(at < 100 || at >= bytes.length - 16 || isPage(bytes, at, 3), `byte ${at}`).toBe(true)
      expect(Buffer.compare(sink.image, model.image(2))).toBe(0)
    }
  }
  expect(refused).toBeGreaterThan(250)
})

/** Whether a byte of a file lies in the frame of a page. Frames are as long as each other here. */
function isPage(bytes: Uint8Array, at: number, pgno: number): boolean {
  const frame = (bytes.byteLength - 100) / 40
  return Math.abs((at - 100) / frame - (pgno - 0.5)) < 1
}

describe('R7: a target that has some pages already', () => {
  test('of an older state reads what has changed since', async () => {
    const model = history()
    const { replica, requests } = await stored(model)
    const plan = planRestore(await replica.catalog(), LATEST)
    requests.length = 0
    const sink = sinkWith(baseOf(model.image(2), model.states[2]!.checksum), model.image(2))
    const result = await restore(replica, plan, sink)
    expect(Buffer.compare(sink.image, model.image(4))).toBe(0)
    expect(result).toMatchObject({ proven: true, pagesKept: 378 })
    expect(bytesOf(requests)).toBeLessThan(8 * PAGE_SIZE)
  })

  test('but not all reads those that lack', async () => {
    const model = history()
    const { replica } = await stored(model)
    const plan = planRestore(await replica.catalog(), LATEST)
    const image = model.image(4).slice()
    image.fill(9, 10 * PAGE_SIZE, 20 * PAGE_SIZE)
    const lacking = [11, 12, 13, 14, 15, 16, 17, 18, 19, 20]
    const sink = sinkWith(baseOf(image, model.states[4]!.checksum, lacking), image)
    const result = await restore(replica, plan, sink)
    expect(Buffer.compare(sink.image, model.image(4))).toBe(0)
    expect(result.pagesKept).toBe(370)
  })

  test('of a database that is no state of this replica reads everything', async () => {
    const model = history()
    const { replica } = await stored(model)
    const plan = planRestore(await replica.catalog(), LATEST)
    const sink = sinkWith(
      baseOf(model.image(2), (model.states[3]!.checksum + 1n) as Checksum),
      model.image(2),
    )
    const result = await restore(replica, plan, sink)
    expect(Buffer.compare(sink.image, model.image(4))).toBe(0)
    expect(result.pagesKept).toBe(0)
  })

  test('that are not what they are said to be reads everything, once the proof fails', async () => {
    const model = history()
    const { replica } = await stored(model)
    const plan = planRestore(await replica.catalog(), LATEST)
    const image = model.image(4).slice()
    image[50 * PAGE_SIZE] = image[50 * PAGE_SIZE]! ^ 1
    const sink = sinkWith(baseOf(image, model.states[4]!.checksum), image)
    const result = await restore(replica, plan, sink)
    expect(Buffer.compare(sink.image, model.image(4))).toBe(0)
    expect(result).toMatchObject({ proven: true, pagesKept: 0 })
    expect(sink.aborted).toBe(1)
  })
})

test('R7: files that retention removes while a restore reads are replaced; what is written stays', async () => {
  const model = history()
  const inner = new MemoryStore()
  const { replica } = await stored(model, inner)
  const plan = planRestore(await replica.catalog(), LATEST)
  const snapshot = plan.files[0]!
  const gets: string[] = []
  const get: BlobStore['get'] = async (key, options) => {
    gets.push(key)
    // As soon as the first part of the old image was read, a merge takes its place.
    if (key === snapshot.key && gets.filter((name) => name === key).length === 3) {
      await put(new Replica(inner), 9, 1, 4, model.file(1, 4))
      await inner.delete(plan.files.map(({ key }) => key))
    }
    return await inner.get(key, options)
  }
  const store: BlobStore = {
    driver: 'memory',
    capabilities: inner.capabilities,
    list: inner.list.bind(inner),
    head: inner.head.bind(inner),
    get,
    put: inner.put.bind(inner),
    delete: inner.delete.bind(inner),
    [Symbol.asyncDispose]: async () => {},
  }
  const sink = new MemorySink()
  const result = await restore(new Replica(store), plan, sink)
  expect(Buffer.compare(sink.image, model.image(4))).toBe(0)
  expect(result.proven).toBe(true)
  expect(result.pagesKept).toBeGreaterThan(0)
  expect(sink.calls.filter((call) => call === 'begin').length).toBe(1)
})

test('T23: a state that nothing leads to any more ends the restore with the reason', async () => {
  const model = history()
  const { replica } = await stored(model)
  const plan = planRestore(await replica.catalog(), LATEST)
  await replica.store.delete([plan.files[0]!.key])
  const outcome = await restore(replica, plan, new MemorySink()).catch((error: unknown) => error)
  expect(isReplicaError(outcome, 'no-snapshot')).toBe(true)
  const failing: BlobStore = Object.assign(Object.create(replica.store), {
    list: () => {
      throw new StorageError('no', { code: 'unavailable', driver: 'memory', operation: 'list' })
    },
  })
  const silent = restore(new Replica(failing), plan, new MemorySink())
  await expect(silent).rejects.toMatchObject({ code: 'unavailable' })
})

describe('which parts of a file are read', () => {
  /** Frames of `size` bytes one after another. */
  function indexOf(count: number, size: number): PageIndex {
    const index = new PageIndex(count)
    for (let i = 0; i < count; i++) {
      index.pgnos[i] = i + 1
      index.offsets[i] = 100 + i * size
      index.sizes[i] = size
    }
    return index
  }

  test.each([
    ['all', 10, 1000, [], [[100, 10_000]]],
    ['small gaps are read', 10, 1000, [3, 4, 8], [[100, 10_000]]],
    ['claimed pages at the ends are not', 10, 1000, [1, 10], [[1100, 8000]]],
    [
      'a gap larger than a request is not',
      400,
      1000,
      Array.from({ length: 300 }, (_, i) => i + 20),
      [
        [100, 19_000],
        [319_100, 81_000],
      ],
    ],
    ['nothing', 3, 1000, [1, 2, 3], []],
    [
      'long runs come in parts',
      100,
      1_000_000,
      [],
      [
        [100, 33_000_000],
        [33_000_100, 33_000_000],
        [66_000_100, 33_000_000],
        [99_000_100, 1_000_000],
      ],
    ],
  ] as const)('%s', (_, count, size, claimed, parts) => {
    const set = new PageSet(count)
    for (const pgno of claimed) set.add(pgno)
    expect(planReads(indexOf(count, size), set).map(({ offset, length }) => [offset, length])).toEqual(parts)
    expect(set.count).toBe(count)
  })

  test('pages behind the end of the database are not claimed', () => {
    const set = new PageSet(4)
    expect(planReads(indexOf(10, 1000), set)).toEqual([
      { offset: 100, length: 4000, runs: [{ first: 0, end: 4 }] },
    ])
  })
})

test('a set of pages is what was added, also after it was stored', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 200 }),
      fc.array(fc.integer({ min: 1, max: 200 })),
      (commit, added) => {
        const set = new PageSet(commit)
        const model = new Set<number>()
        for (const pgno of added) {
          if (pgno > commit) expect(set.has(pgno)).toBe(false)
          else {
            expect(set.add(pgno)).toBe(!model.has(pgno))
            model.add(pgno)
          }
        }
        for (const same of [set, PageSet.fromBytes(set.toBytes(), commit)]) {
          expect(same.count).toBe(model.size)
          for (let pgno = 1; pgno <= commit; pgno++) expect(same.has(pgno)).toBe(model.has(pgno))
        }
      },
    ),
  )
})
