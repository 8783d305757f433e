import { createHash } from 'node:crypto'
import { cpSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { formatTXID, parseTXID } from '@sqlstream/ltx'
import { type BlobStore, MemoryStore } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import Database from 'better-sqlite3'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import {
  isReplicaError,
  planRestore,
  Replica,
  type RestoreTarget,
  restorableTXIDs,
  restore,
  verify,
} from '../src/index.ts'
import { fileSink } from '../src/node/index.ts'
import { collect } from './collect.ts'
import { type Content, contentOf, dumped as dumpedSQL, integrity } from './database-content.ts'

const SHARED = process.env['SQLSTREAM_SHARED'] ?? join(import.meta.dirname, '../../../../shared')
const GOLDEN = join(SHARED, 'golden/litestream-0.5.17')

interface Manifest {
  readonly transactions: readonly {
    readonly txid: string
    readonly timestampMs: number
    readonly commit: number
    readonly dump: string
    readonly imageSha256: string
    readonly integrityOk: boolean
  }[]
  readonly peerTimeTravel?: readonly {
    readonly timestamp: string
    readonly txid?: string
    readonly error?: string
  }[]
}

let folder: string
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sqlstream-golden-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

test('the golden backups are there', () => {
  expect(existsSync(GOLDEN), `${GOLDEN} is missing: set SQLSTREAM_SHARED`).toBe(true)
})

const SETS = [
  { set: 'l0-plain', replica: 'replica' },
  { set: 'l0-shrink', replica: 'replica' },
  { set: 'levels', replica: 'replica-before-retention' },
  { set: 'levels', replica: 'replica' },
]

for (const { set, replica: name } of SETS) {
  const manifest = JSON.parse(readFileSync(join(GOLDEN, set, 'manifest.json'), 'utf8')) as Manifest
  const source = join(GOLDEN, set, name)

  describe(`${set}/${name}`, () => {
    for (const kind of ['memory', 'file'] as const) {
      test(`restores every reachable TXID from a ${kind} store to the peer's image and rows`, async () => {
        const replica = new Replica(kind === 'memory' ? await memoryCopy(source) : fileCopy(source))
        const catalog = await replica.catalog()
        const reachable = restorableTXIDs(catalog).map(formatTXID)
        const expected = manifest.transactions.map(({ txid }) => txid)
        if (name !== 'replica' || set !== 'levels') expect(reachable).toEqual(expected)
        else expect(reachable).toEqual(['04', '07', '09', '0a', '0b'].map((txid) => txid.padStart(16, '0')))

        for (const transaction of manifest.transactions) {
          const txid = parseTXID(transaction.txid)
          if (!reachable.includes(transaction.txid)) {
            const error = await outcome(() => planRestore(catalog, { kind: 'txid', txid }))
            expect(isReplicaError(error)).toBe(true)
            continue
          }
          const path = join(folder, `${set}-${name}-${kind}-${transaction.txid}.db`)
          const result = await restore(replica, planRestore(catalog, { kind: 'txid', txid }), fileSink(path))
          expect(result.pos.txid).toBe(txid)
          expect(result.commit).toBe(transaction.commit)
          expect(result.proven).toBe(false)
          expect(sha256(path)).toBe(transaction.imageSha256)
          expect(contentOf(new Database(path, { readonly: true }))).toEqual(dumped(transaction.dump))
          expect(integrity(path) === 'ok').toBe(transaction.integrityOk)
        }
      })
    }

    test('restores each instant to the last transaction that was captured by then', async () => {
      const replica = new Replica(await memoryCopy(source))
      const catalog = await replica.catalog()
      const reachable = new Set(restorableTXIDs(catalog).map(formatTXID))
      const points = manifest.transactions.filter(({ txid }) => reachable.has(txid))
      for (const [i, point] of points.entries()) {
        const next = points[i + 1]?.timestampMs ?? point.timestampMs + 100_000
        for (const wish of [point.timestampMs, Math.floor((point.timestampMs + next) / 2), next - 1]) {
          const plan = await planAt(replica, new Date(wish))
          expect(formatTXID(plan.txid)).toBe(point.txid)
          expect(plan.timestamp?.getTime()).toBe(point.timestampMs)
          expect(plan.distanceMs).toBe(wish - point.timestampMs)
        }
      }
      const first = points[0]?.timestampMs ?? 0
      const error = await outcome(() => planAt(replica, new Date(first - 1)))
      expect(isReplicaError(error, 'target-before-first')).toBe(true)
    })

    test('verifies without an error, chain and bytes', async () => {
      const replica = new Replica(await memoryCopy(source))
      for (const depth of ['chain', 'bytes'] as const) {
        const findings = await collect(verify(replica, { depth }))
        expect(findings.map(({ kind, severity }) => [kind, severity])).toEqual([['unproven', 'info']])
      }
    })
  })
}

test('answers "as of" like the peer did over the same files', async () => {
  const manifest = JSON.parse(readFileSync(join(GOLDEN, 'levels/manifest.json'), 'utf8')) as Manifest
  const replica = new Replica(await memoryCopy(join(GOLDEN, 'levels/replica')))
  expect(manifest.peerTimeTravel?.length).toBeGreaterThan(5)
  for (const { timestamp, txid, error } of manifest.peerTimeTravel ?? []) {
    const plan = await outcome(() => planAt(replica, new Date(timestamp)))
    if (error) expect(isReplicaError(plan, 'target-before-first')).toBe(true)
    else expect(plan).toMatchObject({ txid: parseTXID(txid as string) })
  }
})

async function planAt(replica: Replica, timestamp: Date): Promise<ReturnType<typeof planRestore>> {
  const target: RestoreTarget = { kind: 'timestamp', timestamp }
  return planRestore(await replica.withTimestamps(await replica.catalog(), timestamp), target)
}

async function outcome(work: () => unknown): Promise<unknown> {
  try {
    return await work()
  } catch (error) {
    return error
  }
}

async function memoryCopy(source: string): Promise<BlobStore> {
  const store = new MemoryStore()
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.ltx')) await store.put(name, readFileSync(join(source, name)))
  }
  return store
}

function fileCopy(source: string): BlobStore {
  const copy = mkdtempSync(join(folder, 'copy-'))
  cpSync(source, copy, { recursive: true })
  return new FileStore(copy)
}

function sha256(path: string): string {
  return createHash('sha256').update(readFileSync(path)).digest('hex')
}

/** What the peer's `.dump` of that state makes. */
function dumped(name: string): Content {
  return dumpedSQL(readFileSync(join(GOLDEN, name), 'utf8'))
}
