import { expect, it } from 'vitest'
import { addRows, Scene } from './scenarios/support/scene.ts'

it.each(['spool:before-sync', 'spool:before-rename', 'journal:before-append'] as const)(
  'K3, T2, T35: while the disk is full (%s) the WAL keeps everything, and all of it is captured afterwards',
  async (where) => {
    await using scene = await Scene.begin()
    let full = false
    const primary = await scene.replicate({
      checkpointFrames: 50,
      syncIntervalMs: 20,
      failpoint: (name) => {
        if (full && name === where) throw Object.assign(new Error('no space left'), { code: 'ENOSPC' })
      },
    })
    await primary.durable()
    full = true
    scene.events.length = 0
    // Nobody asks: the event or the poll meets it.
    scene.app.run(addRows(300, 3000))
    await scene.event((event) => event.type === 'failed' && event.operation === 'capture')
    expect(scene.seen('failed')[0]!.error).toMatchObject({ code: 'disk-full', hint: expect.any(String) })
    await expect(primary.sync()).rejects.toMatchObject({ code: 'disk-full' })
    expect(primary.status).toMatchObject({ state: 'failed', lastError: { code: 'disk-full' } })
    scene.app.run(addRows(100, 3000))
    // Twice, so that it was tried again.
    await scene.event(() => scene.seen('failed').length >= 3)
    const pauses = scene.seen('failed').map(({ retryInMs }) => retryInMs!)
    for (let i = 1; i < pauses.length; i++) expect(pauses[i]).toBeGreaterThan(pauses[i - 1]!)
    expect(scene.seen('checkpointed')).toEqual([])
    await expect(primary.checkpoint()).rejects.toMatchObject({ code: 'busy' })
    expect(scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')[0]![0]).toBe(1)
    full = false
    await primary.durable()
    expect(primary.status.lastError).toBeUndefined()
    expect(scene.seen('resynced')).toEqual([])
    await scene.event((event) => event.type === 'checkpointed')
    await scene.expectSameRows()
    await scene.expectSamePages()
  },
)
