import { withFaults } from '@sqlstream/storage'
import { expect, it } from 'vitest'
import { lockedBytes } from './scenarios/support/locks.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

const CHECKPOINT_LOCK = 121
const sleeper = new Int32Array(new SharedArrayBuffer(4))

it.runIf(process.platform === 'linux').each(['FULL', 'RESTART', 'TRUNCATE'])(
  'K4: a %s checkpoint that the application begins in the middle of a move of the holder ends soon',
  async (mode) => {
    await using scene = await Scene.begin()
    scene.app.open(scene.database, 'other', 20_000)
    let armed = false
    let answer: Promise<unknown[][]> | undefined
    const primary = await scene.replicate({
      failpoint: (name) => {
        if (!armed || name !== 'holder:between') return
        armed = false
        // The guard sits on what is now the second newest commit, and the holder on an older one.
        scene.app.run(addRows(1), 'other')
        answer = scene.app.queryBeside(`PRAGMA wal_checkpoint(${mode})`, 'other')
        while (!lockedBytes(`${scene.database}-shm`, scene.app.pid).includes(CHECKPOINT_LOCK)) {
          Atomics.wait(sleeper, 0, 0, 1)
        }
        // Until it has met the holder's lock and waits for it.
        Atomics.wait(sleeper, 0, 0, 50)
      },
    })
    await primary.durable()
    // It has read the schema, so that its checkpoint begins no read transaction, which would leave a mark.
    scene.app.run(addRows(20, 1000), 'other')
    await primary.sync()
    scene.app.run(addRows(20, 1000))
    armed = true
    const started = performance.now()
    // The refresh moves the holder.
    while (answer === undefined) await new Promise((resolve) => setTimeout(resolve, 5))
    expect((await answer)[0]![0]).toBe(0)
    // It would wait for twice as long.
    expect(performance.now() - started).toBeLessThan(10_000)
    await primary.durable()
    await scene.expectSamePages(['main', 'other'])
  },
)

it.runIf(process.platform === 'linux')(
  'K4: a checkpoint that the application begins while the replicator starts ends soon',
  async () => {
    let answer: Promise<unknown[][]> | undefined
    const beside = async (): Promise<void> => {
      scene.app.run(addRows(1), 'other')
      answer = scene.app.queryBeside('PRAGMA wal_checkpoint(FULL)', 'other')
      while (!lockedBytes(`${scene.database}-shm`, scene.app.pid).includes(CHECKPOINT_LOCK)) {
        Atomics.wait(sleeper, 0, 0, 1)
      }
      Atomics.wait(sleeper, 0, 0, 50)
    }
    // The database is attached by then, and its first image is still to be taken.
    await using scene = await Scene.begin({
      wrap: (store) => withFaults(store, [{ operation: 'list', at: 1, fault: 'delay', wait: beside }]),
    })
    scene.app.open(scene.database, 'other', 20_000)
    scene.app.run(addRows(20), 'other')
    const started = performance.now()
    const primary = await scene.replicate()
    expect((await answer!)[0]![0]).toBe(0)
    // It would wait for twice as long.
    expect(performance.now() - started).toBeLessThan(10_000)
    await primary.durable()
    await scene.expectSamePages(['main', 'other'])
  },
)
