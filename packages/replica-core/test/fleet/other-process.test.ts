import { rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Primary } from '../../src/index.ts'
import { ParkedScene } from './parked-scene.ts'

let scene: ParkedScene
beforeEach(async () => {
  scene = await ParkedScene.begin()
  scene.create('a.db')
})
afterEach(() => scene[Symbol.asyncDispose]())

/** As `replicate --once` of one database while it rests in a fleet: with its state, its replica and its lease. */
async function replicateOnce(replicaName?: string): Promise<void> {
  await using primary = await Primary.open({
    database: scene.path('a.db'),
    replica: scene.replicaAt('a.db/'),
    maintenance: 'never',
    ...(replicaName !== undefined && { replicaName }),
  })
  await primary.durable()
}

describe('a database that rests in a fleet, and is replicated by another process meanwhile', () => {
  it.each([undefined, 'memory:a.db/'])(
    'goes on in the fleet when it is written (Q3; named %s)',
    async (name) => {
      const fleet = await scene.replicate()
      await scene.until(() => fleet.counts.resting === 1)
      await replicateOnce(name)
      scene.requests.length = 0
      for (let round = 0; round < 2; round++) {
        scene.add('a.db')
        await fleet.durable()
      }
      expect(scene.states('a.db')).not.toContain('fenced')
      expect(fleet.counts).toMatchObject({ fenced: 0 })
      expect(await scene.ask('a.db/')).toBe(3)
      await scene.until(() => fleet.counts.resting === 1)
    },
  )

  it('while it is written all the time loses nothing', async () => {
    const fleet = await scene.replicate()
    for (let rows = 2; rows < 6; rows++) {
      await scene.until(() => fleet.counts.resting === 1)
      scene.add('a.db')
      // Whoever comes second finds it locked, and the fleet tries again.
      await replicateOnce().catch((error) => expect(error).toMatchObject({ code: 'locked' }))
      await scene.until(() => fleet.counts.failed === 0)
      expect(await fleet.durable()).toEqual([])
      expect(await scene.ask('a.db/')).toBe(rows)
    }
    expect(scene.states('a.db')).not.toContain('fenced')
  })

  it('waits for no lease of its own when its state was deleted (Q3)', async () => {
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 1)
    rmSync(dirname(scene.recordOf('a.db')), { recursive: true })
    for (const rows of [1, 2]) {
      expect(await fleet.durable()).toEqual([])
      expect(await scene.ask('a.db/')).toBe(rows)
      scene.add('a.db')
    }
    const waits = scene.events.filter(
      (event) => event.type === 'primary' && event.event.type === 'lease' && event.event.state === 'waiting',
    )
    expect(waits).toEqual([])
  })
})
