import { existsSync } from 'node:fs'
import { type FaultyStore, withFaults } from '@sqlstream/storage'
import { WriterProcess } from '@sqlstream/testkit'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { showLease } from '../../src/index.ts'
import { Application } from '../scenarios/support/application.ts'
import { ParkedScene } from './parked-scene.ts'

// A busy machine decides nothing here.
const OPEN = { restAfterMs: 3_600_000, lastRestsMs: 60_000 }
const NAMES = ['a.db', 'b.db', 'c.db']

let scene: ParkedScene
beforeEach(async () => {
  scene = await ParkedScene.begin()
  for (const name of NAMES) scene.create(name)
})
afterEach(() => scene[Symbol.asyncDispose]())

describe('a fleet that ends', () => {
  it('lets rest what is open, and the next one opens none of it, without a request (G8)', async () => {
    const first = await scene.replicate(OPEN)
    await first.settled()
    for (const name of NAMES) scene.add(name)
    expect(await first.close()).toEqual({ databases: 3, pendingFiles: 0, incomplete: [] })
    for (const name of NAMES) {
      expect(existsSync(scene.recordOf(name)), name).toBe(true)
      // Another machine need not wait.
      expect(await showLease(scene.replicaAt(`${name}/`).store)).toMatchObject({ state: 'released' })
      expect(await scene.ask(`${name}/`)).toBe(2)
    }
    scene.requests.length = 0
    scene.events.length = 0
    const next = await scene.replicate(OPEN)
    await next.settled()
    expect(next.counts).toMatchObject({ resting: 3, open: 0 })
    expect(scene.requests).toEqual([])
    scene.add('b.db')
    await scene.until(() => scene.told('b.db').includes('uploaded'))
    expect(scene.requests.filter((each) => each.startsWith('list'))).toEqual([])
    expect(await scene.ask('b.db/')).toBe(3)
  })

  it('ends in time, with everything uploaded, where a reader of the application keeps one from resting (G8)', async () => {
    const first = await scene.replicate(OPEN)
    await first.settled()
    await using reader = await Application.start()
    reader.open(scene.path('a.db')).run('BEGIN; SELECT * FROM t')
    for (const name of NAMES) scene.add(name)
    expect(await first.close()).toMatchObject({ pendingFiles: 0, incomplete: [] })
    expect(NAMES.map((name) => existsSync(scene.recordOf(name)))).toEqual([false, true, true])
    expect(await scene.ask('a.db/')).toBe(2)
  })

  it('and is written to the end says nothing of a database that is not true (Q4)', async () => {
    await using writer = await WriterProcess.start({
      database: scene.path('w.db'),
      commitLog: scene.folder.join('commits'),
    })
    for (let round = 0; round < 3; round++) {
      const fleet = await scene.replicate(OPEN)
      await fleet.settled()
      await fleet.close()
    }
    await writer.stop()
    scene.events.length = 0
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 4)
    expect(await scene.ask('w.db/', 'SELECT max(n) FROM log')).toBe(writer.committed())
  })

  it('does not wait for a store that is gone when it is told not to', async () => {
    let store: FaultyStore | undefined
    const down = await ParkedScene.begin((inner) => {
      store = withFaults(inner, [])
      return store
    })
    await using _ = down
    down.create('a.db')
    const fleet = await down.replicate(OPEN)
    await fleet.settled()
    await fleet.durable()
    store?.setPlan([{ operation: 'put', fault: 'fail', error: 'unavailable' }])
    down.add('a.db')
    await down.until(() => down.told('a.db').includes('failed'))
    const report = await fleet.close({ signal: AbortSignal.timeout(100) })
    expect(report).toMatchObject({ pendingFiles: 1, incomplete: [{ relpath: 'a.db' }] })
    expect(existsSync(down.recordOf('a.db'))).toBe(false)
    store?.setPlan([])
    const again = await down.replicate()
    await down.until(() => again.counts.resting === 1)
    expect(await down.ask('a.db/')).toBe(2)
  })

  it('while it lets one go loses neither its lease nor its record', async () => {
    const fleet = await scene.replicate(OPEN)
    await fleet.settled()
    const going = [...fleet.members].map((member) => member.rest())
    expect(await fleet.close()).toMatchObject({ pendingFiles: 0, incomplete: [] })
    await Promise.all(going)
    for (const name of NAMES) {
      expect(existsSync(scene.recordOf(name)), name).toBe(true)
      expect(await showLease(scene.replicaAt(`${name}/`).store)).toMatchObject({ state: 'released' })
    }
  })
})
