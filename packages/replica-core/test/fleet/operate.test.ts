import { rmSync } from 'node:fs'
import { type FaultyStore, withFaults, withPrefix } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { stealLease } from '../../src/lease/operate-lease.ts'
import { FleetScene } from './fleet-scene.ts'

describe('one database of a fleet', () => {
  it('is stopped with everything in its replica, and stays so while it is written and scanned (G9)', async () => {
    await using scene = await FleetScene.begin()
    for (const name of ['a.db', 'b.db']) scene.create(name)
    const fleet = await scene.replicate({ restAfterMs: 3_600_000 })
    await fleet.settled()
    scene.add('a.db')
    expect(await fleet.stop(scene.path('a.db'))).toMatchObject({ pendingFiles: 0 })
    expect(await scene.ask('a.db/')).toBe(2)
    expect(fleet.member(scene.path('a.db'))?.state).toBe('stopped')
    scene.add('a.db')
    // The other one is captured after it was written later: what was to be seen of the first one is seen.
    scene.add('b.db')
    await fleet.member(scene.path('b.db'))?.durable(undefined)
    expect(await scene.ask('a.db/')).toBe(2)
    await expect(fleet.member(scene.path('a.db'))?.durable(undefined)).rejects.toMatchObject({
      code: 'closed',
    })
  })

  it('is taken up again, however many ask at once, with what was committed meanwhile (G9)', async () => {
    await using scene = await FleetScene.begin()
    scene.create('a.db')
    const fleet = await scene.replicate()
    await fleet.settled()
    const path = scene.path('a.db')
    const stopping = fleet.stop(path)
    await Promise.all([fleet.start(path), fleet.start(path), stopping])
    await fleet.stop(path)
    scene.add('a.db')
    await Promise.all([fleet.start(path), fleet.start(path)])
    await fleet.member(path)?.durable(undefined)
    expect(await scene.ask('a.db/')).toBe(2)
    expect(await fleet.close()).toEqual({ databases: 1, pendingFiles: 0, incomplete: [] })
  })

  it('that was stopped stays so when its file is made anew (G9)', async () => {
    await using scene = await FleetScene.begin()
    scene.create('a.db')
    const fleet = await scene.replicate()
    const path = scene.path('a.db')
    await fleet.settled()
    await fleet.stop(path)
    scene.app.close('a.db')
    for (const end of ['', '-wal', '-shm']) rmSync(`${path}${end}`, { force: true })
    await scene.until(() => fleet.member(path) === undefined)
    scene.create('a.db')
    await scene.until(() => fleet.member(path)?.state === 'stopped')
    scene.add('a.db')
    await fleet.start(path)
    await fleet.member(path)?.durable(undefined)
    expect(await scene.ask('a.db/')).toBe(2)
  })

  it('that is fenced is taken up again when the operator says so (G9)', async () => {
    await using scene = await FleetScene.begin()
    scene.create('a.db')
    const fleet = await scene.replicate({ restAfterMs: 3_600_000, primary: { lease: { ttlMs: 100 } } })
    const path = scene.path('a.db')
    await fleet.member(path)?.durable(undefined)
    await stealLease(withPrefix(scene.store, 'a.db/'))
    let rows = 1
    const untilFenced = async (): Promise<void> => {
      for (;;) {
        scene.add('a.db')
        rows++
        await fleet.member(path)?.durable(undefined)
      }
    }
    await expect(untilFenced()).rejects.toMatchObject({ code: 'fenced' })
    await scene.until(() => fleet.counts.fenced === 1)
    await fleet.start(path)
    await fleet.member(path)?.durable(undefined)
    expect(await scene.ask('a.db/')).toBe(rows)
  })

  it('keeps in the spool what cannot be uploaded before the wait for it is ended', async () => {
    let store: FaultyStore | undefined
    await using scene = await FleetScene.begin((inner) => (store = withFaults(inner, [])))
    scene.create('a.db')
    const fleet = await scene.replicate({ restAfterMs: 3_600_000 })
    const path = scene.path('a.db')
    await fleet.member(path)?.durable(undefined)
    store?.setPlan([{ operation: 'put', fault: 'fail' }])
    scene.add('a.db')
    const end = new AbortController()
    const stopping = fleet.stop(path, { signal: end.signal })
    await scene.until(() => scene.told('a.db').includes('failed'))
    end.abort()
    expect(await stopping).toMatchObject({ pendingFiles: 1 })
    store?.setPlan([])
    await fleet.start(path)
    await fleet.member(path)?.durable(undefined)
    expect(await scene.ask('a.db/')).toBe(2)
  })

  it('is none for a path that is not there', async () => {
    await using scene = await FleetScene.begin()
    const fleet = await scene.replicate()
    expect(() => fleet.stop(scene.path('none.db'))).toThrow(RangeError)
    await expect(fleet.start(scene.path('none.db'))).rejects.toThrow(RangeError)
  })
})
