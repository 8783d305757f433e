import { lockPgno, type PageSize, toChecksum } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { isReplicaError, type Progress, planRestore, Replica, restore } from '../src/index.ts'
import { collect } from './collect.ts'
import { countRequests } from './counting-store.ts'
import { MemorySink } from './memory-sink.ts'
import { checksumOf, encodeFile, Model, pageOf, put, smallHistory, timeOf, upload } from './model.ts'

const SIZES: readonly PageSize[] = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]
const LATEST = { kind: 'latest' } as const

async function restoreLatest(replica: Replica, sink: MemorySink): Promise<unknown> {
  return await restore(replica, planRestore(await replica.catalog(), LATEST), sink).catch(
    (error: unknown) => error,
  )
}

test.each(SIZES)(
  'restores every TXID of a history with pages of %i bytes, and proves it',
  async (pageSize) => {
    const model = smallHistory(pageSize)
    const replica = await upload(model, new MemoryStore())
    const catalog = await replica.catalog()
    for (let txid = 1; txid <= model.txid; txid++) {
      const sink = new MemorySink()
      const plan = planRestore(catalog, { kind: 'txid', txid: BigInt(txid) as never })
      const result = await restore(replica, plan, sink)
      expect(Buffer.from(sink.image).equals(model.image(txid))).toBe(true)
      expect(result).toBe(sink.result)
      const state = model.states[txid]!
      expect(result).toMatchObject({
        pos: { txid: BigInt(txid), postApplyChecksum: state.checksum },
        pageSize,
        commit: state.commit,
        timestamp: new Date(timeOf(txid)),
        proven: true,
      })
      const size = plan.files.reduce((sum, file) => sum + file.size, 0)
      if (pageSize <= 8192) expect(result.bytesRead).toBe(size)
      // Of a large file the end is read twice.
      else expect(result.bytesRead).toBeLessThan(size + 20_000)
      expect(result.pageSums.length).toBe(state.commit * 2)
      for (const [pgno, data] of state.pages) {
        const sum = checksumOf(new Map([[pgno, data]]))
        expect(result.pageSums[pgno * 2 - 2]).toBe(Number(sum & 0xffffffffn))
        expect(result.pageSums[pgno * 2 - 1]).toBe(Number(sum >> 32n))
      }
    }
  },
)

test('costs one listing and one request per file, and reads every file once', async () => {
  const { store, requests } = countRequests(new MemoryStore({ chunkSize: 100 }))
  const model = smallHistory()
  const replica = await upload(model, store)
  await put(replica, 1, 2, 3, model.file(2, 3))
  requests.length = 0
  const sink = new MemorySink()
  await restoreLatest(replica, sink)
  expect(requests.map(({ operation }) => operation)).toEqual(['list', 'get', 'get', 'get', 'get'])
  expect(requests.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(sink.result?.bytesRead)
  expect(Buffer.from(sink.image).equals(model.image(5))).toBe(true)
})

test('R8: whole files are opened only when the one before has been applied', async () => {
  const { store, requests } = countRequests(new MemoryStore())
  const replica = await upload(smallHistory(), store, { proof: false })
  const plan = planRestore(await replica.catalog(), LATEST)
  requests.length = 0
  const seen: number[] = []
  const sink = new MemorySink()
  const write = sink.write.bind(sink)
  sink.write = async (batch) => {
    seen.push(requests.length)
    await write(batch)
  }
  await restore(replica, plan, sink)
  // The newest file is looked at first, for a proof.
  expect(seen).toEqual([2, 3, 4, 5, 6])
})

test('P1, T25: applies a merged file to a state inside its range', async () => {
  const model = smallHistory()
  const replica = await upload(model, new MemoryStore())
  const store = replica.store
  await put(replica, 9, 1, 3, model.file(1, 3))
  await put(replica, 1, 2, 5, model.file(2, 5))
  await store.delete((await collect(store.list({ prefix: 'ltx/0/' }))).map(({ key }) => key))
  const sink = new MemorySink()
  await restoreLatest(replica, sink)
  expect(Buffer.from(sink.image).equals(model.image(5))).toBe(true)
  expect(sink.result?.proven).toBe(true)
})

test('R4, T15: a shrink drops pages for good: growing again does not bring them back', async () => {
  const pageSize = 1024
  const store = new MemoryStore()
  const replica = new Replica(store)
  const page = (seed: number): Uint8Array => pageOf(pageSize, seed)
  const first = new Map([1, 2, 3, 4, 5].map((pgno) => [pgno, page(pgno)]))
  await put(replica, 0, 1, 1, encodeFile({ min: 1, max: 1, pageSize, commit: 5, pages: first }))
  await put(
    replica,
    0,
    2,
    2,
    encodeFile({ min: 2, max: 2, pageSize, commit: 2, pages: new Map([[1, page(9)]]) }),
  )
  // A peer that leaves holes when it grows: pages 3 and 4 are in no file newer than the shrink.
  await put(
    replica,
    0,
    3,
    3,
    encodeFile({ min: 3, max: 3, pageSize, commit: 6, pages: new Map([[5, page(8)]]) }),
  )
  const sink = new MemorySink()
  await restoreLatest(replica, sink)
  const expected = new Uint8Array(6 * pageSize)
  expected.set(page(9), 0)
  expected.set(page(2), pageSize)
  expected.set(page(8), 4 * pageSize)
  expect(Buffer.from(sink.image).equals(expected)).toBe(true)
  const holes = [3, 4, 6].flatMap((pgno) => [
    sink.result?.pageSums[pgno * 2 - 2],
    sink.result?.pageSums[pgno * 2 - 1],
  ])
  expect(holes).toEqual([0, 0, 0, 0, 0, 0])
  expect(sink.result?.proven).toBe(false)
})

describe('chain proofs', () => {
  test('files without a proof restore, but the result says so', async () => {
    const replica = await upload(smallHistory(), new MemoryStore(), { proof: false })
    const sink = new MemorySink()
    await restoreLatest(replica, sink)
    expect(sink.result?.proven).toBe(false)
    expect(sink.result?.pos.postApplyChecksum).toBe(smallHistory().states[5]?.checksum)
  })

  test('one proven file at the end proves the whole state', async () => {
    const model = smallHistory()
    const replica = new Replica(new MemoryStore())
    for (let txid = 1; txid <= 5; txid++) {
      await put(replica, 0, txid, txid, model.file(txid, txid, { proof: txid === 5 }))
    }
    const sink = new MemorySink()
    await restoreLatest(replica, sink)
    expect(sink.result?.proven).toBe(true)
  })

  test('R3, T22: a file of another history is refused, even where its TXIDs fit', async () => {
    const model = smallHistory()
    const other = smallHistory()
    other.states.length = 4
    other.commit(4, new Map([[2, pageOf(512, 77)]]))
    other.commit(8, new Map([5, 6, 7, 8].map((pgno) => [pgno, pageOf(512, pgno + 60)])))
    const replica = new Replica(new MemoryStore())
    for (let txid = 1; txid <= 4; txid++) await put(replica, 0, txid, txid, model.file(txid, txid))
    const file = await put(replica, 0, 5, 5, other.file(5, 5))
    const sink = new MemorySink()
    const error = await restoreLatest(replica, sink)
    expect(isReplicaError(error, 'diverged')).toBe(true)
    expect(error).toMatchObject({ file: { key: file.key } })
    expect(sink.result).toBeUndefined()
    // Once before whole files are tried, once at the end.
    expect(sink.aborted).toBe(2)
  })

  test('R3: pages that do not add up to what the file proves are refused', async () => {
    const model = smallHistory()
    const replica = await upload(model, new MemoryStore())
    await replica.store.delete([(await replica.catalog()).levels.get(0)![4]!.key])
    const proof = {
      preApplyChecksum: model.states[4]!.checksum,
      postApplyChecksum: toChecksum((1n << 63n) | 5n),
    }
    const state = model.states[5]!
    const spec = { min: 5, max: 5, pageSize: 512, commit: 8, pages: state.changed, proof } as const
    await put(replica, 0, 5, 5, encodeFile(spec))
    const sink = new MemorySink()
    expect(isReplicaError(await restoreLatest(replica, sink), 'corrupt')).toBe(true)
    expect(sink.result).toBeUndefined()
  })

  test('R5, T17: another page size inside a chain is another history', async () => {
    const replica = await upload(smallHistory(), new MemoryStore())
    const pages = new Map([[1, pageOf(1024, 1)]])
    await put(replica, 0, 6, 6, encodeFile({ min: 6, max: 6, pageSize: 1024, commit: 8, pages }))
    expect(isReplicaError(await restoreLatest(replica, new MemorySink()), 'diverged')).toBe(true)
  })

  test('T17: a new page size begins with a snapshot, and older states keep theirs', async () => {
    const replica = await upload(smallHistory(512), new MemoryStore())
    const bigger = new Model(1024)
    for (let i = 0; i < 7; i++)
      bigger.commit(3, new Map([1, 2, 3].map((pgno) => [pgno, pageOf(1024, pgno + i)])))
    await put(replica, 9, 1, 6, bigger.file(1, 6))
    await put(replica, 0, 7, 7, bigger.file(7, 7))
    const catalog = await replica.catalog()
    for (const [txid, model] of [
      [5, smallHistory(512)],
      [6, bigger],
      [7, bigger],
    ] as const) {
      const sink = new MemorySink()
      await restore(replica, planRestore(catalog, { kind: 'txid', txid: BigInt(txid) as never }), sink)
      expect(sink.result?.pageSize).toBe(model.pageSize)
      expect(Buffer.from(sink.image).equals(model.image(txid))).toBe(true)
    }
  })
})

test('a file whose header tells another range than its name is refused before its pages are taken', async () => {
  const model = smallHistory()
  const replica = await upload(model, new MemoryStore(), { proof: false })
  await replica.store.delete([(await replica.catalog()).levels.get(0)![2]!.key])
  await put(replica, 0, 3, 3, model.file(2, 2, { proof: false }))
  const sink = new MemorySink()
  expect(isReplicaError(await restoreLatest(replica, sink), 'corrupt')).toBe(true)
  expect(sink.calls).toEqual(['begin', 'write', 'write'])
})

test('lets go of the body that it was reading when something fails', async () => {
  for (const [proof, at] of [
    [true, 'begin'],
    [true, 'write'],
    [true, 'commit'],
    [false, 'begin'],
    [false, 'write'],
    [false, 'truncate'],
    [false, 'commit'],
  ] as const) {
    const { store, open } = countRequests(new MemoryStore({ chunkSize: 64 }))
    const replica = await upload(smallHistory(), store, { proof })
    const plan = planRestore(await replica.catalog(), LATEST)
    const sink = Object.assign(new MemorySink(), { [at]: () => Promise.reject(new Error(at)) })
    await expect(restore(replica, plan, sink)).rejects.toThrow(at)
    expect(open.size).toBe(0)
  }
})

test('reports progress that grows to the total', async () => {
  const replica = await upload(smallHistory(), new MemoryStore({ chunkSize: 64 }), { proof: false })
  const plan = planRestore(await replica.catalog(), LATEST)
  const seen: Progress[] = []
  await restore(replica, plan, new MemorySink(), { onProgress: (progress) => seen.push(progress) })
  const totalBytes = plan.files.reduce((sum, file) => sum + file.size, 0)
  expect(seen.at(-1)).toEqual({ bytes: totalBytes, totalBytes, files: 5, totalFiles: 5 })
  expect(seen.length).toBeGreaterThan(20)
  for (const [i, { bytes }] of seen.entries()) expect(bytes).toBeGreaterThanOrEqual(seen[i - 1]?.bytes ?? 0)
})

test.each([true, false])(
  'stops at an abort wherever it comes, with the reason itself, and leaves nothing (proof: %s)',
  async (proof) => {
    const replica = await upload(smallHistory(), new MemoryStore({ chunkSize: 512 }), { proof })
    const plan = planRestore(await replica.catalog(), LATEST)
    let chunks = 0
    await restore(replica, plan, new MemorySink(), { onProgress: () => chunks++ })
    for (let at = 0; at < chunks; at++) {
      const controller = new AbortController()
      const reason = new Error(`stop at ${at}`)
      let seen = 0
      const onProgress = (): void => {
        if (seen++ === at) controller.abort(reason)
      }
      const sink = new MemorySink()
      const options = { signal: controller.signal, onProgress }
      expect(await restore(replica, plan, sink, options).catch((error: unknown) => error)).toBe(reason)
      expect(sink.result).toBeUndefined()
      expect(sink.aborted).toBe(1)
    }
  },
)

test('a plan that does not begin with a snapshot is a mistake of the caller', async () => {
  const replica = await upload(smallHistory(), new MemoryStore())
  const plan = planRestore(await replica.catalog(), LATEST)
  const sink = new MemorySink()
  await expect(restore(replica, { ...plan, files: plan.files.slice(1) }, sink)).rejects.toThrow(TypeError)
})

test.each(SIZES)('R6, T16: leaves out the lock page, pages of %i bytes', async (pageSize) => {
  const lock = lockPgno(pageSize)
  const store = new MemoryStore()
  const replica = new Replica(store)
  const page = (seed: number): Uint8Array => pageOf(pageSize, seed)
  const first = new Map([[1, page(1)]])
  const around = new Map([1, lock - 1, lock + 1].map((pgno) => [pgno, page(pgno % 251)]))
  const last = new Map([[lock + 2, page(5)]])
  await put(replica, 0, 1, 1, encodeFile({ min: 1, max: 1, pageSize, commit: 1, pages: first }))
  await put(replica, 0, 2, 2, encodeFile({ min: 2, max: 2, pageSize, commit: lock + 1, pages: around }))
  await put(replica, 0, 3, 3, encodeFile({ min: 3, max: 3, pageSize, commit: lock + 2, pages: last }))
  const written = new Map<number, string>()
  const result = await restore(replica, planRestore(await replica.catalog(), LATEST), {
    begin: () => Promise.resolve(),
    async write({ count, pgnos, data }) {
      for (let i = 0; i < count; i++) {
        written.set(
          pgnos[i]!,
          Buffer.from(data.subarray(i * pageSize, (i + 1) * pageSize)).toString('latin1'),
        )
      }
    },
    truncate: () => Promise.resolve(),
    commit: () => Promise.resolve(),
    abort: () => Promise.resolve(),
  })
  const pages = new Map([...around, ...last])
  expect([...written.keys()].sort((a, b) => a - b)).toEqual([...pages.keys()])
  for (const [pgno, data] of pages) expect(written.get(pgno)).toBe(Buffer.from(data).toString('latin1'))
  expect(result.commit).toBe(lock + 2)
  expect(result.pos.postApplyChecksum).toBe(checksumOf(pages))
  expect([...result.pageSums.subarray(lock * 2 - 2, lock * 2)]).toEqual([0, 0])
})
