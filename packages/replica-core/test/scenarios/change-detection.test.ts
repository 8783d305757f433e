import { statSync, utimesSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { describe, expect, it } from 'vitest'
import { addRows, Scene } from './support/scene.ts'

/** Size and header of the WAL, which carries no locks and may be read anywhere. */
async function walFace(scene: Scene): Promise<{ size: number; header: string }> {
  const bytes = await readFile(`${scene.database}-wal`)
  return { size: bytes.length, header: bytes.subarray(0, 32).toString('hex') }
}

/** A WAL of some 50 frames of which only the first is of the present generation, and is captured. */
async function longWALWithOneFrame(): Promise<{
  scene: Scene
  primary: Awaited<ReturnType<Scene['replicate']>>
}> {
  const scene = await Scene.begin()
  for (let i = 0; i < 50; i++) scene.app.run('INSERT INTO t(v) VALUES(randomblob(900))')
  const primary = await scene.replicate()
  await primary.durable()
  await primary.checkpoint()
  scene.app.run("INSERT INTO t(v) VALUES('one')")
  await primary.sync()
  expect(primary.status.walFrames).toBeLessThan(5)
  return { scene, primary }
}

describe('new commits are found', () => {
  it('T08: captures a commit that leaves size and header of the WAL unchanged', async () => {
    const { scene, primary } = await longWALWithOneFrame()
    await using _ = scene
    const before = await walFace(scene)
    const frames = primary.status.walFrames
    const txid = primary.status.captured!.txid
    scene.app.run("UPDATE t SET v = 'two' WHERE v = 'one'")
    expect(await walFace(scene)).toEqual(before)
    // Nobody asks for it: the event or the poll finds it.
    await scene.event((event) => event.type === 'captured' && event.pos.txid === txid + 1n)
    expect(primary.status.walFrames).toBe(frames + 1)
    await scene.expectSamePages()
  })

  it('T08: captures it although the time of the WAL file stands still', async () => {
    const { scene, primary } = await longWALWithOneFrame()
    await using _ = scene
    const past = new Date(0)
    utimesSync(`${scene.database}-wal`, past, past)
    await primary.sync()
    const txid = primary.status.captured!.txid
    scene.app.run("UPDATE t SET v = 'two' WHERE v = 'one'")
    utimesSync(`${scene.database}-wal`, past, past)
    await scene.event((event) => event.type === 'captured' && event.pos.txid === txid + 1n)
    expect(statSync(`${scene.database}-wal`).mtimeMs).toBe(0)
    await scene.expectSamePages()
  })

  it('T09: takes the valid frames and nothing of an older generation behind them', async () => {
    const { scene, primary } = await longWALWithOneFrame()
    await using _ = scene
    expect(statSync(`${scene.database}-wal`).size).toBeGreaterThan(50 * 4096)
    await primary.durable()
    const files = await scene.files()
    expect(files).toHaveLength(1)
    expect((await scene.read(files[0]!)).pgnos.length).toBeLessThan(5)
    await scene.expectSamePages()
  })

  it('T09: a long file with a short logical content causes no files, and no checkpoints without end', async () => {
    const { scene, primary } = await longWALWithOneFrame()
    await using _ = scene
    await primary.durable()
    // Past the time after which a quiet database is checkpointed whole.
    await scene.event((event) => event.type === 'checkpointed' && event.complete && event.frames > 0)
    const captured = scene.seen('captured').length
    const checkpointed = scene.seen('checkpointed').length
    const files = (await scene.files()).length
    for (let i = 0; i < 200; i++) await primary.sync()
    await new Promise((resolve) => setTimeout(resolve, 2500))
    expect(scene.seen('captured').length).toBe(captured)
    expect(scene.seen('checkpointed').length - checkpointed).toBeLessThanOrEqual(1)
    expect((await scene.files()).length).toBe(files)
    await scene.expectSamePages()
  })

  it('T13: a restart with nothing written, and a checkpoint, cause no false alarm and no new base', async () => {
    await using scene = await Scene.begin()
    const first = await scene.replicate()
    await first.durable()
    await first.close()
    const primary = await scene.replicate()
    await primary.checkpoint()
    await primary.checkpoint('truncate')
    scene.app.run("INSERT INTO t(v) VALUES('after')")
    await primary.durable()
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    expect(scene.seen('resynced').filter((event) => event.changedPages > 0)).toEqual([])
    expect(await scene.files()).toHaveLength(1)
    await scene.expectSamePages()
  })
})

describe('a database that shrinks and grows between two captures', () => {
  it.each([
    ['VACUUM', '', 'DELETE FROM t; VACUUM', 10],
    ['VACUUM, then growth over the freed numbers', '', `DELETE FROM t; VACUUM; ${addRows(40, 4000)}`, 60],
    ['auto_vacuum = full', 'PRAGMA auto_vacuum=FULL', 'DELETE FROM t', 10],
    [
      'incremental_vacuum',
      'PRAGMA auto_vacuum=INCREMENTAL',
      'DELETE FROM t; PRAGMA incremental_vacuum(200)',
      120,
    ],
  ])('T14, T66: %s: no file holds a page beyond its size', async (_name, pragmas, shrink, mostPages) => {
    await using scene = await Scene.begin({ pragmas })
    const primary = await scene.replicate({ syncIntervalMs: 60_000 })
    await primary.durable()
    scene.app.run(addRows(300, 4000))
    scene.app.run(shrink)
    await primary.durable()
    const pages = scene.app.value('PRAGMA page_count') as number
    expect(pages).toBeLessThanOrEqual(mostPages)
    for (const file of await scene.files()) {
      const { header, pgnos } = await scene.read(file)
      expect(Math.max(...pgnos)).toBeLessThanOrEqual(header.commit)
    }
    const { result } = await scene.restore()
    expect(result.commit).toBe(pages)
    // And shrinking what the replica already knows as large.
    scene.app.run(addRows(200, 4000))
    await primary.durable()
    scene.app.run(shrink)
    await scene.expectSamePages()
  })
})
