import { withFaults } from '@sqlstream/storage'
import { expect, it } from 'vitest'
import { Budgets } from '../../src/budget/budgets.ts'
import { FleetScene } from './fleet-scene.ts'

const OPEN = { restAfterMs: 3_600_000 }

it('B1: one database that fails keeps no other out, though there is one place for uploads', async () => {
  await using scene = await FleetScene.begin((store) =>
    withFaults(store, [{ operation: 'put', key: /^bad\.db\/.*ltx/, fault: 'fail', error: 'unavailable' }]),
  )
  for (const name of ['bad.db', 'a.db', 'b.db']) scene.create(name)
  const fleet = await scene.replicate({ ...OPEN, budgets: { maxUploads: 1 } })
  await fleet.settled()
  for (let i = 0; i < 3; i++) {
    for (const name of ['bad.db', 'a.db', 'b.db']) scene.add(name)
    for (const name of ['a.db', 'b.db']) await fleet.member(scene.path(name))?.durable(undefined)
  }
  expect(await scene.ask('a.db/')).toBe(4)
  expect(await scene.ask('b.db/')).toBe(4)
  expect(scene.told('bad.db')).not.toContain('snapshotted')
})

it('B1: no more uploads run at once than allowed, in any order', async () => {
  let running = 0
  let most = 0
  await using scene = await FleetScene.begin((store) =>
    withFaults(store, [
      {
        operation: 'put',
        key: /ltx\//,
        fault: 'delay',
        wait: async () => {
          most = Math.max(most, ++running)
          await new Promise((resolve) => setTimeout(resolve, 5))
          running--
        },
      },
    ]),
  )
  for (let i = 0; i < 6; i++) scene.create(`${i}.db`)
  const fleet = await scene.replicate({ ...OPEN, budgets: { maxUploads: 2 } })
  expect(await fleet.durable()).toEqual([])
  expect(most).toBeLessThanOrEqual(2)
})

it('B2: two fleets with one budget keep it together, and every database gets its turn', async () => {
  await using one = await FleetScene.begin()
  await using other = await FleetScene.begin()
  const budgets = new Budgets({ maxRequestsPerSecond: 200 })
  const started = performance.now()
  for (const scene of [one, other]) for (let i = 0; i < 8; i++) scene.create(`${i}.db`)
  const fleets = [await one.replicate({ ...OPEN, budgets }), await other.replicate({ ...OPEN, budgets })]
  for (let i = 0; i < 20; i++) {
    for (const scene of [one, other]) for (let n = 0; n < 8; n++) scene.add(`${n}.db`)
    for (const fleet of fleets) expect(await fleet.durable()).toEqual([])
  }
  const seconds = (performance.now() - started) / 1000
  const free = (request: string): boolean => request.includes('lease.json') || request.includes('probe')
  const counted = [...one.requests, ...other.requests].filter((request) => !free(request)).length
  expect(counted).toBeGreaterThan(16 * 20)
  expect(counted).toBeLessThanOrEqual(200 * (seconds + 1) + 1)
})

it('D1: captures of all databases count together, and those of the one with most are given up', async () => {
  let down = false
  await using scene = await FleetScene.begin((store) =>
    withFaults(store, [
      {
        operation: 'put',
        fault: 'delay',
        wait: async () => {
          if (down)
            throw Object.assign(new Error('it does not answer'), { code: 'unavailable', transient: true })
        },
      },
    ]),
  )
  for (const name of ['large.db', 'a.db', 'b.db']) scene.create(name)
  const fleet = await scene.replicate({ ...OPEN, budgets: { disk: { maxSpoolBytes: 1_000_000 } } })
  expect(await fleet.durable()).toEqual([])
  down = true
  while (!scene.told('large.db').includes('given-up')) {
    for (const name of ['a.db', 'b.db']) scene.add(name)
    scene.app.run('INSERT INTO t(v) VALUES(randomblob(50000))', 'large.db')
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
  expect(fleet.member(scene.path('large.db'))?.status).toMatchObject({
    state: 'failed',
    lastError: { code: 'given-up' },
  })
  for (const name of ['a.db', 'b.db']) {
    expect(scene.told(name)).not.toContain('given-up')
    expect(fleet.member(scene.path(name))?.status).toMatchObject({ state: 'open' })
  }
  down = false
  expect(await fleet.durable()).toEqual([])
  const rows = 'SELECT count(*) FROM t'
  for (const name of ['large.db', 'a.db', 'b.db'])
    expect(await scene.ask(`${name}/`)).toBe(scene.app.value(rows, name))
  expect(scene.told('large.db').filter((type) => type === 'snapshot-started')).toHaveLength(1)
})
