import { existsSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { verify } from '@sqlstream/replica'
import { type StorageOperation, withObserver } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { addRows, Scene } from './scenarios/support/scene.ts'

const ROWS = 16_384
const TEN_ROWS = `UPDATE t SET v = randomblob(4000) WHERE id % ${Math.floor(ROWS / 10)} = 7 AND id < ${ROWS - 100}`

/** What is asked of the store beside the lease: its own tests count that. */
function withoutLease(operations: readonly StorageOperation[]): StorageOperation[] {
  return operations.filter(({ key }) => !/^\.sqlstream\/(lease|probe)/.test(key ?? ''))
}

/** A database of 64 MB, one row a page, whose first snapshot is in the replica and which nobody replicates now. */
async function replicated64MB(operations: StorageOperation[]): Promise<Scene> {
  const scene = await Scene.begin({
    wrap: (store) => withObserver(store, (operation) => operations.push(operation)),
  })
  await scene.app.runBeside(addRows(ROWS, 4000))
  const primary = await scene.replicate()
  await primary.durable()
  await primary.close()
  expect(scene.seen('snapshotted')[0]!.bytes).toBeGreaterThan(60 << 20)
  scene.events.length = 0
  operations.length = 0
  return scene
}

function salts(scene: Scene): string {
  return readFileSync(`${scene.database}-wal`).subarray(16, 24).toString('hex')
}

describe('a restart after the application has changed ten rows of 64 MB', () => {
  it.each([
    [
      'emptied the WAL with TRUNCATE',
      (scene: Scene) => {
        scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')
        expect(readFileSync(`${scene.database}-wal`)).toHaveLength(0)
      },
    ],
    [
      'closed the database, which deletes the WAL',
      (scene: Scene) => {
        scene.app.close()
        expect(existsSync(`${scene.database}-wal`)).toBe(false)
        scene.app.open(scene.database)
      },
    ],
    [
      'restarted the WAL and written on',
      (scene: Scene) => {
        const before = salts(scene)
        scene.app.query('PRAGMA wal_checkpoint(RESTART)')
        scene.app.run('UPDATE t SET v = randomblob(4000) WHERE id = 5')
        expect(salts(scene)).not.toBe(before)
      },
    ],
    ['left the WAL as it is', () => undefined],
  ])(
    'S3, P3: (%s) uploads one file with the changed pages, and the chain stays proven',
    async (_what, end) => {
      const all: StorageOperation[] = []
      await using scene = await replicated64MB(all)
      scene.app.run(TEN_ROWS)
      end(scene)
      const primary = await scene.replicate()
      await primary.durable()
      const operations = withoutLease(all)
      const puts = operations.filter(({ operation }) => operation === 'put')
      expect(puts).toHaveLength(1)
      expect(puts[0]!.key).toMatch(/\/0000000000000002-0000000000000002\.ltx$/)
      // Ten or eleven leaves of 4 KiB that do not compress, perhaps the first page.
      expect(puts[0]!.bytes).toBeGreaterThan(10 * 4000)
      expect(puts[0]!.bytes).toBeLessThan(13 * 4200)
      expect(scene.seen('snapshot-started')).toEqual([])
      // One listing, identity and header to decide with; nothing else is read.
      expect(operations.filter(({ operation }) => operation === 'list')).toHaveLength(1)
      const gets = operations.filter(({ operation }) => operation === 'get' || operation === 'head')
      expect(gets.length).toBeLessThanOrEqual(2)
      expect(gets.reduce((sum, { bytes }) => sum + bytes, 0)).toBeLessThan(1000)
      for await (const { severity, message } of verify(scene.replica, { depth: 'chain' })) {
        expect(severity, message).toBe('info')
      }
      await scene.expectSamePages()
    },
  )

  it('S2: nothing was changed: nothing is uploaded', async () => {
    const operations: StorageOperation[] = []
    await using scene = await replicated64MB(operations)
    scene.app.close()
    scene.app.open(scene.database)
    const primary = await scene.replicate()
    await primary.durable()
    expect(withoutLease(operations).filter(({ operation }) => operation === 'put')).toEqual([])
    await scene.expectSamePages()
  })
})

it('an idle replicator asks the store for nothing', async () => {
  const operations: StorageOperation[] = []
  await using scene = await Scene.begin({
    wrap: (store) => withObserver(store, (operation) => operations.push(operation)),
  })
  const primary = await scene.replicate()
  await primary.durable()
  scene.events.length = 0
  scene.app.run(addRows(100, 1000))
  await primary.durable()
  operations.length = 0
  // The checkpoint after which an idle database is parked; then past the poll and the refreshes.
  await scene.event((event) => event.type === 'checkpointed' && event.complete)
  await sleep(2500)
  await primary.durable()
  await primary.sync()
  expect(operations).toEqual([])
  await scene.expectSamePages()
})
