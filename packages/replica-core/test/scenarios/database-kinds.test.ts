import { mergeFiles } from '@sqlstream/ltx'
import { headOf, restorableTXIDs } from '@sqlstream/replica'
import { describe, expect, it } from 'vitest'
import { collectBytes } from './support/bytes.ts'
import { addRows, query, Scene } from './support/scene.ts'

const PAGE_SIZES = [512, 1024, 2048, 4096, 8192, 16384, 32768, 65536]

describe('page sizes', () => {
  it.each(PAGE_SIZES)(
    'T17: a database with pages of %i bytes is replicated from its first page to its last',
    async (pageSize) => {
      await using scene = await Scene.begin({ pragmas: `PRAGMA page_size=${pageSize}` })
      expect(scene.app.value('PRAGMA page_size')).toBe(pageSize)
      const primary = await scene.replicate()
      scene.app.run(addRows(50, 3000))
      await primary.durable()
      await primary.checkpoint()
      scene.app.run(`UPDATE t SET v = randomblob(${pageSize * 3}) WHERE id % 7 = 0`)
      await primary.durable()
      scene.app.run('DELETE FROM t WHERE id % 2 = 0; VACUUM')
      await primary.durable()
      expect((await scene.restore()).result.pageSize).toBe(pageSize)
      await scene.expectSamePages()
    },
  )

  it.each([
    [4096, 8192],
    [4096, 512],
    [512, 65536],
    [65536, 1024],
  ])(
    'T17: a change from %i to %i while we are down begins a new base, and old states keep their size',
    async (before, after) => {
      await using scene = await Scene.begin({ pragmas: `PRAGMA page_size=${before}` })
      const first = await scene.replicate()
      scene.app.run(addRows(30, 1000))
      await first.durable()
      await first.close()
      const oldHead = headOf(await scene.replica.catalog())!
      scene.app.run(`PRAGMA journal_mode=DELETE; PRAGMA page_size=${after}; VACUUM; PRAGMA journal_mode=WAL`)
      expect(scene.app.value('PRAGMA page_size')).toBe(after)
      const primary = await scene.replicate()
      await primary.durable()
      expect(scene.seen('snapshot-started').at(-1)?.reason).toBe('page-size-changed')
      scene.app.run(addRows(30, 1000))
      await primary.durable()
      const old = await scene.restore('old.db', { kind: 'txid', txid: oldHead })
      expect(old.result.pageSize).toBe(before)
      expect(query(old.path, 'SELECT count(*) FROM t')).toBe(30)
      expect(query(old.path, 'PRAGMA integrity_check')).toBe('ok')
      for (const txid of restorableTXIDs(await scene.replica.catalog())) {
        const { result } = await scene.restore('point.db', { kind: 'txid', txid })
        expect(result.pageSize).toBe(txid > oldHead ? after : before)
      }
      await scene.expectSamePages()
    },
  )

  it('T17: while we run the page size cannot be changed: the application is told, and nothing stops', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    scene.app.run(addRows(10))
    await primary.durable()
    expect(() => scene.app.run('PRAGMA journal_mode=DELETE')).toThrow(
      expect.objectContaining({ code: 'SQLITE_BUSY' }),
    )
    scene.app.run('PRAGMA page_size=8192; VACUUM')
    expect(scene.app.value('PRAGMA page_size')).toBe(4096)
    scene.app.run(addRows(10))
    await primary.durable()
    expect(scene.seen('snapshotted')).toHaveLength(1)
    await scene.expectSamePages()
  })

  it('T17: files of two page sizes are never merged', async () => {
    await using scene = await Scene.begin()
    const first = await scene.replicate()
    scene.app.run(addRows(3))
    await first.durable()
    await first.close()
    scene.app.run('PRAGMA journal_mode=DELETE; PRAGMA page_size=1024; VACUUM; PRAGMA journal_mode=WAL')
    const primary = await scene.replicate()
    scene.app.run(addRows(3))
    await primary.durable()
    const level0 = await scene.files()
    const snapshots = await scene.files(9)
    const merged = mergeFiles([
      scene.replica.open(snapshots[0]!),
      scene.replica.open(level0[0]!),
      scene.replica.open(level0.at(-1)!),
    ])
    await expect(collectBytes(merged)).rejects.toMatchObject({
      code: expect.stringMatching(/^(page-size-mismatch|non-contiguous)$/),
    })
  })
})

describe('exclusive locking', () => {
  it('T46: an application that locks everybody out is reported, at once and at every start', async () => {
    await using scene = await Scene.begin()
    scene.app.run('PRAGMA locking_mode=EXCLUSIVE')
    scene.app.run(addRows(3))
    for (let i = 0; i < 2; i++) {
      await expect(scene.replicate()).rejects.toMatchObject({
        name: 'PrimaryError',
        code: 'exclusive-locking',
        hint: expect.stringContaining('locking_mode'),
      })
    }
    scene.app.run('PRAGMA locking_mode=NORMAL')
    scene.app.query('SELECT count(*) FROM t')
    const primary = await scene.replicate()
    await primary.durable()
    await scene.expectSamePages()
  })

  it('T46: an application that opens the WAL without a wal-index is reported too', async () => {
    await using scene = await Scene.begin()
    scene.app.run(addRows(3))
    scene.app.close()
    // Set before the first access, so that not even a -shm file comes to be.
    scene.app.open(scene.database).run('PRAGMA locking_mode=EXCLUSIVE')
    scene.app.run(addRows(3))
    await expect(scene.replicate()).rejects.toMatchObject({ code: 'exclusive-locking' })
    scene.app.close()
    scene.app.open(scene.database)
    const primary = await scene.replicate()
    await primary.durable()
    await scene.expectSamePages()
  })

  it('T46: while we run, nobody gets the database for himself, and replication goes on', async () => {
    await using scene = await Scene.begin()
    const primary = await scene.replicate()
    await primary.durable()
    scene.app.run('PRAGMA locking_mode=EXCLUSIVE')
    expect(() => scene.app.run(addRows(1))).toThrow(expect.objectContaining({ code: 'SQLITE_BUSY' }))
    scene.app.close()
    scene.app.open(scene.database).run(addRows(1))
    await primary.durable()
    expect(primary.status.state).toBe('idle')
    await scene.expectSamePages()
  })
})
