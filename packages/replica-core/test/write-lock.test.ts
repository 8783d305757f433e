import { expect, it } from 'vitest'
import { addRows, Scene } from './scenarios/support/scene.ts'

it('P5: every time that writers are kept out is told, and none is longer than it may be', async () => {
  const held: number[] = []
  await using scene = await Scene.begin()
  const primary = await scene.replicate(
    { checkpointFrames: 50, syncIntervalMs: 20 },
    { onWriteLock: (milliseconds) => held.push(milliseconds) },
  )
  await primary.durable()
  for (let i = 0; i < 20; i++) {
    scene.app.run(addRows(60, 3000))
    await primary.sync()
    // Whether a tail is left for the barrier is a matter of chance.
    await primary.checkpoint()
  }
  const before = held.length
  await primary.checkpoint('truncate')
  expect(held.length).toBeGreaterThan(before)
  const told = scene.seen('checkpointed').filter(({ barrierMs }) => barrierMs !== undefined)
  expect(held.length).toBeGreaterThan(told.length)
  for (const { barrierMs } of told) expect(held).toContain(barrierMs)
  await scene.expectSamePages()
})
