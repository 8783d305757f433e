import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { FleetOptions } from '../../src/fleet/fleet-options.ts'
import type { VerificationPolicy } from '../../src/maintenance/plan-verification.ts'
import { ParkedScene } from './parked-scene.ts'

const HOUR = 3_600_000
const DAILY: VerificationPolicy = { everyMs: 24 * HOUR, bytesPerDay: 1 << 30 }

let scene: ParkedScene
let time: number
beforeEach(async () => {
  scene = await ParkedScene.begin()
  time = Date.now()
})
afterEach(() => scene[Symbol.asyncDispose]())

function options(verification: VerificationPolicy | 'never' = DAILY): Partial<FleetOptions> {
  const maintenance = { compaction: 'never', retention: 'never', verification } as const
  return { primary: { maintenance, now: () => time } }
}

/** The time goes on; whatever is due is done. */
async function pass(fleet: Fleet, hours: number): Promise<void> {
  for (let quarter = 0; quarter < 4 * hours; quarter++) {
    time += HOUR / 4
    await fleet.maintain()
  }
}

const proofs = (): number => scene.told('a.db').filter((type) => type === 'verified').length

/** A fleet in whose time the newest state was proven, if it was told to; then more was written. */
async function proveThenWrite(verification: VerificationPolicy | 'never'): Promise<void> {
  scene.create('a.db')
  const fleet = await scene.replicate(options(verification))
  await fleet.settled()
  if (verification !== 'never') {
    // The first proof comes in the first hour.
    time += 2 * HOUR
    scene.add('a.db')
    await scene.until(() => proofs() === 1)
  }
  scene.add('a.db')
  await fleet.durable()
  await scene.until(() => fleet.counts.resting === 1)
  await fleet.close()
  scene.requests.length = 0
  scene.events.length = 0
}

describe('proofs of a database that rests since an earlier process', () => {
  it('come when they are due, once, and the database rests again (Q6, M6)', async () => {
    await proveThenWrite(DAILY)
    const fleet = await scene.replicate(options())
    await fleet.settled()
    await pass(fleet, 20)
    expect(scene.states('a.db')).toEqual(['resting'])
    expect(scene.requests).toEqual([])
    await pass(fleet, 8)
    await scene.until(() => proofs() === 1)
    await scene.until(() => fleet.counts.resting === 1)
    await pass(fleet, 100)
    expect(proofs()).toBe(1)
  })

  it('come soon where one became due while no process ran (Q6, M6)', async () => {
    await proveThenWrite(DAILY)
    time += 72 * HOUR
    const fleet = await scene.replicate(options())
    await fleet.settled()
    expect(scene.states('a.db')).toEqual(['resting'])
    await pass(fleet, 1)
    await scene.until(() => proofs() === 1)
  })

  it('come where nobody had asked for them before (Q6, M6)', async () => {
    await proveThenWrite('never')
    const fleet = await scene.replicate(options())
    await fleet.settled()
    await pass(fleet, 4)
    await scene.until(() => proofs() === 1)
  })

  it('do not come while nothing is new, in this process or the next (Q6, M6)', async () => {
    await proveThenWrite(DAILY)
    time += 72 * HOUR
    await using fleet = await scene.replicate(options())
    await fleet.settled()
    await pass(fleet, 1)
    await scene.until(() => proofs() === 1)
    await scene.until(() => fleet.counts.resting === 1)
    await fleet.close()
    scene.requests.length = 0
    const next = await scene.replicate(options())
    await next.settled()
    await pass(next, 200)
    expect(scene.requests).toEqual([])
    expect(next.counts).toMatchObject({ resting: 1 })
  })
})
