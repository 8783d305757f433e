import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { lockPgno, type PageSize, toTXID } from '@sqlstream/ltx'
import { MemoryStore } from '@sqlstream/storage'
import fc from 'fast-check'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { findGaps, planRestore, Replica, restorableTXIDs, restore, verify } from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'
import { collect } from './collect.ts'
import { MemorySink } from './memory-sink.ts'
import { encodeFile, Model, pageOf, put } from './model.ts'

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlstream-prop-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

const PAGE_SIZE = fc.constantFrom<PageSize>(512, 1024, 2048, 4096, 8192, 16384, 32768, 65536)

/** Transactions: the size afterwards and the pages to change (taken modulo that size). */
const HISTORY = fc.array(
  fc.record({
    commit: fc.integer({ min: 1, max: 40 }),
    change: fc.array(fc.nat(1000), { minLength: 1, maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 12 },
)

/** Merges to make beside the captures: level, first and last transaction (taken modulo the length). */
const MERGES = fc.array(fc.tuple(fc.integer({ min: 1, max: 9 }), fc.nat(11), fc.nat(11)), { maxLength: 6 })

/** Which captures are no longer there. */
const RETIRED = fc.array(fc.nat(11), { maxLength: 8 })

test('P2: whatever the history, merges and retired files: each TXID restores to its image or is refused', async () => {
  let restored = 0
  await fc.assert(
    fc.asyncProperty(
      PAGE_SIZE,
      HISTORY,
      MERGES,
      RETIRED,
      fc.boolean(),
      async (size, history, merges, retired, onDisk) => {
        const model = new Model(size)
        for (const [i, { commit, change }] of history.entries()) {
          model.commit(commit, new Map(change.map((n) => [(n % commit) + 1, pageOf(size, i * 1000 + n)])))
        }
        const last = model.txid
        const replica = new Replica(new MemoryStore())
        const gone = new Set(retired)
        for (let txid = 1; txid <= last; txid++) {
          if (!gone.has(txid - 1)) await put(replica, 0, txid, txid, model.file(txid, txid))
        }
        for (const [level, a, b] of merges) {
          const min = level === 9 ? 1 : (Math.min(a, b) % last) + 1
          const max = Math.max(min, (Math.max(a, b) % last) + 1)
          await put(replica, level, min, max, model.file(min, max))
        }
        const catalog = await replica.catalog()
        const files = [...catalog.levels.values()].flat()
        const points = new Set(restorableTXIDs(catalog))
        // By definition, not by the planner's own reasoning: which states can be reached from a snapshot?
        expect(points).toEqual(reachable(files))
        for (let txid = 1; txid <= last; txid++) {
          if (!points.has(toTXID(txid))) {
            expect(() => planRestore(catalog, { kind: 'txid', txid: toTXID(txid) })).toThrow(
              expect.objectContaining({ name: 'ReplicaError' }),
            )
            continue
          }
          const plan = planRestore(catalog, { kind: 'txid', txid: toTXID(txid) })
          const image = await (onDisk ? toDisk(replica, plan) : toMemory(replica, plan))
          expect(Buffer.compare(image, model.image(txid))).toBe(0)
          restored++
        }
        const findings = await collect(verify(replica, { depth: 'bytes' }))
        const errors = findings.filter(({ severity }) => severity === 'error')
        expect(errors.every(({ kind }) => kind === 'gap')).toBe(true)
        expect(errors.length > 0).toBe(files.length === 0 || findGaps(catalog).length > 0)
      },
    ),
    { numRuns: 120 },
  )
  expect(restored).toBeGreaterThan(100)
})

test('sparse databases around the lock page come back page by page', async () => {
  await fc.assert(
    fc.asyncProperty(
      PAGE_SIZE,
      fc.array(
        fc.record({
          // Pages behind or before the lock page at which the database ends, and the pages that change near it.
          end: fc.integer({ min: -3, max: 3 }),
          change: fc.uniqueArray(fc.integer({ min: -3, max: 3 }), { maxLength: 5 }),
        }),
        { minLength: 1, maxLength: 5 },
      ),
      async (pageSize, steps) => {
        const lock = lockPgno(pageSize)
        const replica = new Replica(new MemoryStore())
        const first = pageOf(pageSize, 1)
        await put(
          replica,
          0,
          1,
          1,
          encodeFile({ min: 1, max: 1, pageSize, commit: 1, pages: new Map([[1, first]]) }),
        )
        let expected = new Map([[1, first]])
        let commit = 1
        for (const [i, { end, change }] of steps.entries()) {
          commit = lock + end
          const pages = new Map<number, Uint8Array>()
          for (const n of change) {
            if (n !== 0 && n <= end) pages.set(lock + n, pageOf(pageSize, i * 10 + n + 5))
          }
          await put(replica, 0, i + 2, i + 2, encodeFile({ min: i + 2, max: i + 2, pageSize, commit, pages }))
          expected = new Map([...expected, ...pages].filter(([pgno]) => pgno <= commit))
        }
        const actual = new Map<number, Uint8Array>()
        const nothing = (): Promise<void> => Promise.resolve()
        const result = await restore(replica, planRestore(await replica.catalog(), { kind: 'latest' }), {
          begin: nothing,
          commit: nothing,
          abort: nothing,
          truncate: async (pages) => {
            for (const pgno of actual.keys()) if (pgno > pages) actual.delete(pgno)
          },
          write: async ({ count, pgnos, data }) => {
            for (let i = 0; i < count; i++)
              actual.set(pgnos[i]!, data.slice(i * pageSize, (i + 1) * pageSize))
          },
        })
        expect(result.commit).toBe(commit)
        expect([...actual.keys()].sort((a, b) => a - b)).toEqual([...expected.keys()].sort((a, b) => a - b))
        for (const [pgno, data] of expected) expect(Buffer.compare(actual.get(pgno)!, data)).toBe(0)
      },
    ),
    { numRuns: 40 },
  )
})

/** The states that some order of files leads to, by trying until nothing new comes. */
function reachable(files: readonly { minTXID: bigint; maxTXID: bigint }[]): Set<bigint> {
  const states = new Set<bigint>()
  for (let before = -1; before !== states.size; ) {
    before = states.size
    for (const { minTXID, maxTXID } of files) {
      const applies = [...states].some((state) => state + 1n >= minTXID && state < maxTXID)
      if (minTXID === 1n || applies) states.add(maxTXID)
    }
  }
  return states
}

type Plan = ReturnType<typeof planRestore>

async function toMemory(replica: Replica, plan: Plan): Promise<Uint8Array> {
  const sink = new MemorySink()
  await restore(replica, plan, sink)
  return sink.image
}

async function toDisk(replica: Replica, plan: Plan): Promise<Uint8Array> {
  const path = join(folder, 'app.db')
  await restore(replica, plan, fileSink(path, { overwrite: true }))
  return readFileSync(path)
}
