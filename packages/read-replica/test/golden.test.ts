import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { formatTXID, parseTXID } from '@sqlstream/ltx'
import { Replica, restorableTXIDs } from '@sqlstream/replica'
import { MemoryStore } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { type GoldenName, goldenFolderOrReason, loadGolden, TempFolder } from '@sqlstream/testkit'
import { describe, expect, test } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { contentOf, dumpBy } from './support/dump.ts'

const golden = goldenFolderOrReason()

const SETS: readonly [GoldenName, string][] = [
  ['l0-plain', 'replica'],
  ['l0-shrink', 'replica'],
  ['levels', 'replica-before-retention'],
  ['levels', 'replica'],
]

describe.each(SETS)('V1: %s/%s, made by Litestream', (name, folder) => {
  test.skipIf('reason' in golden)('reads the rows of every TXID, and of every instant', async () => {
    if ('reason' in golden) return
    const set = loadGolden(golden.folder, name)
    const store = await memoryCopy(join(set.folder, folder))
    const reachable = new Set(restorableTXIDs(await new Replica(store).catalog()).map(formatTXID))
    await using newest = await openReplica({ store, poll: false })
    const points = set.transactions.filter(({ txid }) => reachable.has(txid))
    expect(points.length).toBeGreaterThan(4)
    for (const [i, point] of points.entries()) {
      const expected = contentOf(set.dump(point))
      const next = points[i + 1]?.timestampMs ?? point.timestampMs + 100_000
      await using byTXID = await newest.asOf({ txid: parseTXID(point.txid) })
      await using byTime = await newest.asOf({ time: new Date(next - 1) })
      for (const replica of [byTXID, byTime]) {
        expect(replica.position).toEqual({
          txid: parseTXID(point.txid),
          time: new Date(point.timestampMs),
        })
        expect(await dumpBy(replica)).toBe(expected)
        const [row] = await replica.all('PRAGMA integrity_check')
        expect(row?.['integrity_check'] === 'ok').toBe(point.integrityOk)
        expect(await replica.get('PRAGMA page_count')).toEqual({ page_count: point.commit })
      }
    }
    expect(await dumpBy(newest)).toBe(contentOf(set.dump(set.transactions.at(-1)!)))
  })
})

test.skipIf('reason' in golden)('reads a folder of Litestream by the driver for folders', async () => {
  if ('reason' in golden) return
  const set = loadGolden(golden.folder, 'levels')
  using folder = new TempFolder('golden')
  set.copyReplica(folder.join('replica'))
  await using store = new FileStore(folder.join('replica'))
  await using replica = await openReplica({ store, at: { txid: parseTXID('0000000000000007') } })
  expect(await dumpBy(replica)).toBe(contentOf(set.dump(set.transactions[6]!)))
})

async function memoryCopy(source: string): Promise<MemoryStore> {
  const store = new MemoryStore()
  for (const name of readdirSync(source, { recursive: true, encoding: 'utf8' })) {
    if (name.endsWith('.ltx')) await store.put(name, readFileSync(join(source, name)))
  }
  return store
}
