import {
  createRetentionPolicy,
  headOf,
  planRestore,
  restorableTXIDs,
  restore,
  verify,
} from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { type FaultyStore, type StorageOperation, withFaults, withObserver } from '@sqlstream/storage'
import { compareImages, databaseImage } from '@sqlstream/testkit'
import { expect, it } from 'vitest'
import type { Primary, PrimaryEvent } from '../../src/index.ts'
import { Scene } from '../scenarios/support/scene.ts'

/** Short slots, so that a test sees many. */
const LEVELS = { compaction: { levels: { every: [100, 400, 1200] } } } as const

function isMerge(level: number): (event: PrimaryEvent) => boolean {
  return (event) => event.type === 'compacted' && event.file.level === level
}

/** Commits until an event comes. */
async function commitUntil(
  scene: Scene,
  primary: Primary,
  fits: (event: PrimaryEvent) => boolean,
): Promise<void> {
  for (let i = 0; !scene.events.some(fits); i++) {
    scene.app.run(`INSERT INTO t(v) VALUES(randomblob(${100 + (i % 7)}))`)
    await primary.durable()
  }
}

it('M1: what was uploaded is merged level by level, and each merge leads to the pages of the database', async () => {
  const operations: StorageOperation[] = []
  await using scene = await Scene.begin({
    wrap: (store) => withObserver(store, (operation) => operations.push(operation)),
  })
  const primary = await scene.replicate({ maintenance: LEVELS })
  await primary.durable()
  operations.length = 0
  await commitUntil(scene, primary, isMerge(3))
  await primary.close()
  // A merge is one put: its inputs are at hand, its catalog is the listing of the start.
  const gets = operations.filter(({ operation, key }) => operation === 'get' && /^ltx\/0\//.test(key ?? ''))
  expect(gets).toEqual([])
  expect(operations.filter(({ operation }) => operation === 'list')).toEqual([])
  expect(
    operations
      .filter(({ key }) => /^ltx\/1\//.test(key ?? ''))
      .every(({ operation }) => operation !== 'head'),
  ).toBe(true)
  // Without the captures, what the merges lead to is the same.
  const catalog = await scene.replica.catalog()
  const captures = catalog.levels.get(0)!
  const merged = captures.findLast(({ maxTXID }) =>
    catalog.levels.get(1)!.some((file) => file.maxTXID === maxTXID),
  )!
  const expected = scene.folder.join('captures.db')
  const target = { kind: 'txid', txid: merged.maxTXID } as const
  await restore(
    scene.replica,
    planRestore(
      {
        levels: new Map([
          [0, captures],
          [9, catalog.levels.get(9)!],
        ]),
      },
      target,
    ),
    fileSink(expected),
  )
  const actual = scene.folder.join('merges.db')
  const levels = new Map([...catalog.levels].filter(([level]) => level > 0))
  expect(restorableTXIDs({ levels })).toContain(merged.maxTXID)
  await restore(scene.replica, planRestore({ levels }, target), fileSink(actual))
  expect(compareImages(actual, expected)).toMatchObject({ equal: true })
  for await (const finding of verify(scene.replica, { depth: 'bytes' }))
    expect(finding.severity).not.toBe('error')
})

it('M2: another start goes on where the last one stopped, with times that the listing does not tell', async () => {
  await using scene = await Scene.begin({})
  const first = await scene.replicate({ maintenance: 'never' })
  for (let i = 0; i < 12; i++) {
    scene.app.run('INSERT INTO t(v) VALUES(randomblob(300))')
    await first.durable()
  }
  await first.close()
  const second = await scene.replicate({ maintenance: LEVELS })
  await scene.event(isMerge(3))
  await second.close()
  const catalog = await scene.replica.catalog()
  expect(catalog.levels.get(1)!.at(-1)!.maxTXID).toBe(catalog.levels.get(0)!.at(-1)!.maxTXID)
})

it('M3: a store that fails is told, and merging goes on when it is back', async () => {
  let faulty: FaultyStore | undefined
  await using scene = await Scene.begin({
    wrap: (store) => {
      faulty = withFaults(store, [])
      return faulty
    },
  })
  const primary = await scene.replicate({ maintenance: LEVELS })
  faulty?.setPlan([{ operation: 'put', key: /^ltx\/[1-8]\//, fault: 'fail' }])
  await commitUntil(scene, primary, (event) => event.type === 'failed' && event.operation === 'compaction')
  expect(scene.seen('compacted')).toEqual([])
  await primary.close()
  faulty?.setPlan([])
  const again = await scene.replicate({ maintenance: LEVELS })
  await scene.event(isMerge(1))
  await again.close()
})

it('M4: what is too old for every promise goes, and what stays leads to the database', async () => {
  const operations: StorageOperation[] = []
  await using scene = await Scene.begin({
    wrap: (store) => withObserver(store, (operation) => operations.push(operation)),
  })
  const retention = createRetentionPolicy({
    keep: [
      { every: 'capture', for: 400 },
      { every: 400, for: 2000 },
    ],
    grace: 300,
  })
  const primary = await scene.replicate({ maintenance: { ...LEVELS, retention, retainEveryMs: 100 } })
  await commitUntil(scene, primary, () => scene.seen('retained').length > 3)
  await primary.close()
  // What this run promises stays until the end of the grace of another one.
  const retained = scene.seen('retained').at(-1)!
  const catalog = await scene.replica.catalog()
  const points = restorableTXIDs(catalog)
  // Files that are marked and wait for the end of their grace lead to older states still.
  expect(points).toContain(retained.oldest?.txid)
  expect(points.at(-1)).toBe(headOf(catalog))
  for (const txid of points) {
    const path = scene.folder.join(`${txid}.db`)
    const plan = planRestore(catalog, { kind: 'txid', txid })
    expect((await restore(scene.replica, plan, fileSink(path))).proven).toBe(true)
  }
  const newest = await databaseImage(scene.database, scene.folder.join('image.db'))
  expect(newest).toBeDefined()
  expect(
    compareImages(scene.folder.join(`${points.at(-1)}.db`), scene.folder.join('image.db')),
  ).toMatchObject({ equal: true })
  expect(operations.filter(({ operation }) => operation === 'delete').length).toBeGreaterThan(0)
  expect(scene.seen('failed')).toEqual([])
})

it('M5: without retention files are merged and nothing goes; without merging what is too old still goes', async () => {
  const operations: StorageOperation[] = []
  await using scene = await Scene.begin({
    wrap: (store) => withObserver(store, (operation) => operations.push(operation)),
  })
  const merging = await scene.replicate({
    maintenance: { ...LEVELS, retention: 'never', retainEveryMs: 100 },
  })
  await commitUntil(scene, merging, isMerge(2))
  await merging.close()
  expect(operations.filter(({ key }) => key?.startsWith('.sqlstream/doomed'))).toEqual([])
  const merges = scene.seen('compacted').length
  const retention = createRetentionPolicy({ keep: [{ every: 400, for: 400 }], grace: 100 })
  const retaining = await scene.replicate({
    maintenance: { compaction: 'never', retention, retainEveryMs: 100 },
  })
  await commitUntil(scene, retaining, () => scene.seen('retained').length > 0)
  await retaining.close()
  const after = await scene.replica.catalog()
  expect(scene.seen('compacted').length).toBe(merges)
  expect(
    (
      await restore(
        scene.replica,
        planRestore(after, { kind: 'latest' }),
        fileSink(scene.folder.join('end.db')),
      )
    ).proven,
  ).toBe(true)
})

it('M5: on a new replica that nobody merges, retention begins with the first upload', async () => {
  await using scene = await Scene.begin({})
  const retention = createRetentionPolicy({
    keep: [{ every: 'capture', for: 100 }],
    grace: 100,
    minSnapshots: 1,
  })
  const looked: string[] = []
  const primary = await scene.replicate({
    maintenance: { compaction: 'never', retention, retainEveryMs: 100 },
    failpoint: (name) => looked.push(name),
  })
  await primary.durable()
  await expect.poll(() => looked.includes('retain:after')).toBe(true)
  await primary.close()
  expect(scene.seen('compacted')).toEqual([])
})
