import { Decoder } from '@sqlstream/ltx'
import { type BlobStore, getBytes, MemoryStore } from '@sqlstream/storage'
import { beforeAll, describe, expect, test } from 'vitest'
import {
  assumeSoleWriter,
  compact,
  createCatalog,
  filesOf,
  isReplicaError,
  type LTXFile,
  planRestore,
  planSnapshot,
  Replica,
  restorableTXIDs,
  restore,
  runMerge,
  verify,
} from '../src/index.ts'
import { collect } from './collect.ts'
import { MemorySink } from './memory-sink.ts'
import { Model, noisePage, put, timeOf } from './model.ts'

const PAGE_SIZE = 512
const LEASE = assumeSoleWriter('test')
const LAST = 20

let model: Model
let whole: MemoryStore
let files: readonly LTXFile[]

/** Files in the levels 0 to 3 and 9, with growth and shrinks. */
beforeAll(async () => {
  model = new Model(PAGE_SIZE)
  whole = new MemoryStore()
  const replica = new Replica(whole)
  for (let txid = 1; txid <= LAST; txid++) {
    const commit = 8 + ((txid * 5) % 9)
    const pgnos =
      txid === 1 ? Array.from({ length: commit }, (_, i) => i + 1) : [1, ((txid * 3) % commit) + 1]
    model.commit(commit, new Map(pgnos.map((pgno) => [pgno, noisePage(PAGE_SIZE, txid * 100 + pgno)])))
    await put(replica, txid === 1 ? 9 : 0, txid, txid, model.file(txid, txid))
    if (txid === 8) await runMerge(replica, replica.writer(LEASE), planSnapshot(await replica.catalog())!)
  }
  await compact(replica, replica.writer(LEASE), await replica.catalog(), {
    policy: { levels: { every: [3_000, 6_000, 12_000] }, snapshots: 'never' },
    now: () => timeOf(LAST + 60),
  })
  const catalog = await replica.catalog()
  expect([...catalog.levels.keys()]).toEqual([0, 1, 2, 3, 9])
  files = filesOf(catalog)
})

/** The same objects, but for one bit of one of them. */
async function damaged(
  file: LTXFile,
  at: number,
  bit: number,
): Promise<{ replica: Replica; written: BlobStore }> {
  const bytes = (await getBytes(whole, file.key)).slice()
  bytes[at]! ^= 1 << bit
  const other = new MemoryStore()
  await other.put(file.key, bytes)
  const written = new MemoryStore()
  const store: BlobStore = {
    driver: whole.driver,
    capabilities: whole.capabilities,
    list: whole.list.bind(whole),
    head: whole.head.bind(whole),
    get: (key, options) => (key === file.key ? other : whole).get(key, options),
    put: written.put.bind(written),
    delete: written.delete.bind(written),
    [Symbol.asyncDispose]: async () => {},
  }
  return { replica: new Replica(store), written }
}

/** Pages of a file and their checksums. The few bits that LZ4 does not look at, or that copy the same bytes from elsewhere, change none. */
async function contentOf(replica: Replica, file: LTXFile): Promise<string> {
  const decoder = await Decoder.open(replica.open(file))
  const parts: string[] = []
  for await (const { pgnos, sums, count } of decoder.batches()) {
    parts.push(`${pgnos.subarray(0, count)} ${sums.subarray(0, 2 * count)}`)
  }
  await decoder.finish()
  return parts.join()
}

/** Whether a damaged file is what it was for everybody who reads it. */
async function isHarmless(replica: Replica, file: LTXFile): Promise<boolean> {
  const content = await contentOf(replica, file).catch(() => undefined)
  return content === (await contentOf(new Replica(whole), file))
}

/** Bytes of a file: some of its header, of its frames, of its index, and the trailer, others for each file. */
function places(file: LTXFile, step: number): number[] {
  const found: number[] = []
  for (let at = Number(file.maxTXID) % step; at < file.size; at += step) found.push(at)
  for (let back = 1; back <= 16; back += 7) found.push(file.size - back)
  return found
}

describe('one bit changed in any file of a replica with levels and snapshots', () => {
  test('R2: is named by verify at depth bytes', async () => {
    let refused = 0
    for (const file of files) {
      for (const at of places(file, 401)) {
        const { replica } = await damaged(file, at, at % 8)
        const findings = await collect(verify(replica, { depth: 'bytes' }))
        const named = findings.filter(({ severity }) => severity === 'error').map((found) => found.file?.key)
        if (!named.includes(file.key)) expect(await isHarmless(replica, file), `byte ${at}`).toBe(true)
        else refused++
      }
    }
    expect(refused).toBeGreaterThan(4 * files.length)
  })

  test('R2: never gives wrong pages, over whatever levels: an error that names the file, or the state', async () => {
    let refused = 0
    let restored = 0
    for (const file of files) {
      for (const at of places(file, 401)) {
        const { replica } = await damaged(file, at, at % 8)
        // The level of the file alone, with snapshots; then all.
        for (const levels of [
          [file.level, 9],
          [0, 1, 2, 3, 9],
        ]) {
          const catalog = createCatalog(files.filter(({ level }) => levels.includes(level)))
          const points = restorableTXIDs(catalog).filter((txid) => txid >= file.maxTXID)
          for (const txid of new Set([points[0], points.at(-1)])) {
            if (txid === undefined) continue
            const sink = new MemorySink()
            const plan = planRestore(catalog, { kind: 'txid', txid })
            const outcome = await restore(replica, plan, sink).catch((error: unknown) => error)
            if (outcome instanceof Error) {
              expect(
                isReplicaError(outcome, 'corrupt') || isReplicaError(outcome, 'diverged'),
                `${outcome}`,
              ).toBe(true)
              expect(outcome).toMatchObject({ file: { key: file.key } })
              expect(sink.result).toBeUndefined()
              refused++
            } else {
              expect(Buffer.compare(sink.image, model.image(Number(txid))), `byte ${at}`).toBe(0)
              restored++
            }
          }
        }
      }
    }
    expect(refused).toBeGreaterThan(files.length)
    // Not every state needs every byte.
    expect(restored).toBeGreaterThan(files.length)
  })

  test('C4, T28: never gets into a merge', async () => {
    for (const file of files.filter(({ level }) => level < 3)) {
      const inputs = files.filter(({ level }) => level === file.level)
      for (const at of places(file, 401)) {
        const { replica, written } = await damaged(file, at, at % 8)
        if (await isHarmless(replica, file)) continue
        const merge = runMerge(replica, replica.writer(LEASE), { level: 4, inputs })
        await expect(merge).rejects.toMatchObject({ code: 'corrupt', file: { key: file.key } })
        expect(await collect(written.list())).toEqual([])
      }
    }
  })
})
