import { Replica } from '@sqlstream/replica'
import { withFaults } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import type { Failpoint } from '../src/index.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

/** Of the connection that checkpoints: twice as long as a test may take for it. */
const BUSY_TIMEOUT_MS = 20_000
const MODES = ['FULL', 'RESTART', 'TRUNCATE'] as const

/** A scene with a second connection. It has read the schema, so its checkpoint begins no read transaction, which would leave a mark. */
async function begin(): Promise<Scene> {
  const scene = await Scene.begin()
  scene.app.open(scene.database, 'other', BUSY_TIMEOUT_MS)
  scene.app.run(addRows(20, 1000), 'other')
  return scene
}

async function expectEnd(answer: Promise<number[]>, started: number): Promise<void> {
  expect((await answer)[0]).toBe(0)
  expect(performance.now() - started).toBeLessThan(BUSY_TIMEOUT_MS / 2)
}

describe.runIf(process.platform === 'linux')('K4: a checkpoint of the application ends soon', () => {
  it.each(MODES)('%s, begun in the middle of a move of the holder', async (mode) => {
    await using scene = await begin()
    let armed = false
    let started = 0
    let answer: Promise<number[]> | undefined
    const primary = await scene.replicate({
      failpoint: (name) => {
        if (!armed || name !== 'holder:between') return
        armed = false
        started = performance.now()
        // The guard sits on what is now the second newest commit, and the holder on an older one.
        scene.app.run(addRows(1), 'other')
        answer = scene.app.beginCheckpoint(scene.database, mode, 'other')
      },
    })
    await primary.durable()
    scene.app.run(addRows(20, 1000), 'other')
    await primary.sync()
    scene.app.run(addRows(20, 1000))
    armed = true
    // The refresh moves the holder.
    while (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
    await expectEnd(answer, started)
    await primary.durable()
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages(['main', 'other'])
  })

  const steps: readonly Failpoint[] = ['checkpoint:before', 'checkpoint:after', 'barrier:held']
  it.each(steps.flatMap((step) => MODES.map((mode) => ({ step, mode }))))(
    '$mode, begun at $step of a cycle of ours',
    async ({ step, mode }) => {
      await using scene = await begin()
      let armed = false
      let answer: Promise<number[]> | undefined
      const primary = await scene.replicate({
        failpoint: (name) => {
          if (!armed) return
          // A tail that the unblocked checkpoint does not see, so that there is a barrier.
          if (step === 'barrier:held' && name === 'checkpoint:before') scene.app.run(addRows(1), 'other')
          if (name !== step) return
          armed = false
          if (step !== 'barrier:held') scene.app.run(addRows(1), 'other')
          answer = scene.app.beginCheckpoint(scene.database, mode, 'other')
        },
      })
      await primary.durable()
      scene.app.run(addRows(20, 1000), 'other')
      armed = true
      const started = performance.now()
      await primary.checkpoint()
      await expectEnd(answer!, started)
      await primary.durable()
      expect(scene.seen('resynced')).toEqual([])
      await scene.expectSamePages(['main', 'other'])
    },
  )

  it.each(['takes a whole image', 'compares every page'])(
    'FULL, begun while the replicator starts and %s',
    async (what) => {
      await using scene = await begin()
      if (what !== 'takes a whole image') {
        await (await scene.replicate()).close()
        scene.app.run('PRAGMA wal_checkpoint(TRUNCATE)')
        scene.app.run(addRows(20), 'other')
      }
      let answer: Promise<number[]> | undefined
      const beside = async (): Promise<void> => {
        scene.app.run(addRows(1), 'other')
        answer = scene.app.beginCheckpoint(scene.database, 'FULL', 'other')
      }
      // The database is attached by then, and nothing is read from it yet.
      const faults = [{ operation: 'list', at: 1, fault: 'delay', wait: beside }] as const
      const started = performance.now()
      const primary = await scene.replicate({ replica: new Replica(withFaults(scene.store, faults)) })
      await expectEnd(answer!, started)
      await primary.durable()
      expect(scene.seen('resynced')).toHaveLength(what === 'takes a whole image' ? 0 : 1)
      await scene.expectSamePages(['main', 'other'])
    },
  )
})
