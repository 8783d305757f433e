import { copyFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { readLog } from '../../src/state/read-log.ts'
import { FleetScene } from './fleet-scene.ts'

let scene: FleetScene
beforeEach(async () => {
  scene = await FleetScene.begin()
})
afterEach(() => scene[Symbol.asyncDispose]())

function removeDatabase(path: string): void {
  for (const suffix of ['', '-wal', '-shm']) rmSync(`${path}${suffix}`, { force: true })
}

describe('a fleet', () => {
  it('replicates every database of a tree to its own place, and lets them rest (G1)', async () => {
    const names = ['a.db', 'b.db', 'x/c.db', 'x/y/d.db']
    for (const name of names) scene.create(name)
    writeFileSync(scene.path('notes.txt'), 'no database')
    const fleet = await scene.replicate()
    await fleet.settled()
    await scene.until(() => fleet.counts.resting === names.length)
    for (const name of names) expect(await scene.ask(`${name}/`)).toBe(1)
    expect(scene.events.filter(({ type }) => type === 'open-failed')).toEqual([])
  })

  it('opens what is written, for one put, and no other (G2)', async () => {
    for (const name of ['a.db', 'b.db']) scene.create(name)
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 2)
    scene.requests.length = 0
    scene.events.length = 0
    scene.add('a.db')
    await scene.until(() => scene.told('a.db').includes('uploaded'))
    await scene.until(() => fleet.counts.resting === 2)
    expect(scene.requests.map((each) => each.split(' ')[0])).toEqual(['put'])
    expect(scene.states('b.db')).toEqual([])
    expect(await scene.ask('a.db/')).toBe(2)
  })

  it('finds new databases, also in new folders, and ends with those that go (G3)', async () => {
    const fleet = await scene.replicate()
    scene.create('new/a.db')
    await scene.until(() => fleet.counts.resting === 1)
    expect(await scene.ask('new/a.db/')).toBe(1)
    scene.app.close('new/a.db')
    removeDatabase(scene.path('new/a.db'))
    await scene.until(() => scene.states('new/a.db').includes('gone'))
    expect([...fleet.members]).toEqual([])
    expect(await scene.ask('new/a.db/')).toBe(1)
  })

  it('T44: goes on in the same replica when a database is deleted and created anew (G4)', async () => {
    scene.create('a.db')
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 1)
    scene.app.close('a.db')
    removeDatabase(scene.path('a.db'))
    await scene.until(() => scene.states('a.db').includes('gone'))
    scene.create('a.db')
    scene.add('a.db')
    await scene.until(() => fleet.counts.resting === 1)
    expect(await scene.ask('a.db/')).toBe(2)
  })

  it('begins another replica for a database that is renamed; the old one stays (G4)', async () => {
    scene.create('a.db')
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 1)
    scene.app.close('a.db')
    renameSync(scene.path('a.db'), scene.path('z.db'))
    for (const suffix of ['-wal', '-shm']) rmSync(`${scene.path('a.db')}${suffix}`, { force: true })
    await scene.until(() => scene.states('z.db').includes('resting'))
    expect(await scene.ask('z.db/')).toBe(1)
    expect(await scene.ask('a.db/')).toBe(1)
  })

  it('T43: compares a database that another file was moved over, and goes on where the old one was (G4)', async () => {
    for (const name of ['a.db', 'b.db']) scene.create(name)
    for (let i = 0; i < 5; i++) scene.add('b.db')
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 2)
    for (const name of ['a.db', 'b.db']) scene.app.close(name)
    removeDatabase(`${scene.path('a.db')}-none`)
    copyFileSync(scene.path('b.db'), scene.folder.join('copy'))
    for (const suffix of ['-wal', '-shm']) rmSync(`${scene.path('a.db')}${suffix}`, { force: true })
    renameSync(scene.folder.join('copy'), scene.path('a.db'))
    await scene.until(() => scene.told('a.db').includes('resynced'))
    await scene.until(() => fleet.counts.resting === 2)
    expect(await scene.ask('a.db/')).toBe(6)
  })

  it('is not held up by one that cannot be replicated (G7)', async () => {
    scene.create('good.db')
    scene.create('bad.db')
    scene.app.run('PRAGMA locking_mode=EXCLUSIVE; INSERT INTO t(v) VALUES(2)', 'bad.db')
    writeFileSync(
      scene.path('broken.db'),
      Buffer.concat([Buffer.from('SQLite format 3\0'), Buffer.alloc(84)]),
    )
    const fleet = await scene.replicate()
    await scene.until(() => fleet.counts.resting === 1)
    await scene.until(() => fleet.counts.failed >= 1)
    expect(await scene.ask('good.db/')).toBe(1)
    expect([...fleet.members].find(({ state }) => state === 'failed')?.lastError).toMatchObject({
      code: expect.any(String),
    })
  })

  it('lets two databases never share a destination (G5)', async () => {
    scene.create('a.db')
    scene.create('x/a.db')
    const fleet = await scene.replicate({ template: '{name}' })
    await scene.until(() => fleet.counts.resting === 1)
    expect(scene.events).toContainEqual(expect.objectContaining({ code: 'destination-collision' }))
    expect([...fleet.members]).toHaveLength(1)
  })

  it('replicates the second when the first that had its destination is gone (G5)', async () => {
    scene.create('a.db')
    const fleet = await scene.replicate({ template: '{name}' })
    await scene.until(() => fleet.counts.resting === 1)
    scene.create('x/a.db')
    await scene.until(() => scene.events.some(({ type }) => type === 'warning'))
    scene.app.close('a.db')
    removeDatabase(scene.path('a.db'))
    await scene.until(() => scene.told('x/a.db').includes('state'))
    expect([...fleet.members].map(({ database }) => database.relpath)).toEqual(['x/a.db'])
  })

  it('warns of a database whose destination has no name (G5)', async () => {
    scene.create('a.db')
    const fleet = await scene.replicate({ template: '{dir}' })
    expect(scene.events).toContainEqual(expect.objectContaining({ code: 'no-destination' }))
    expect([...fleet.members]).toEqual([])
  })

  it('keeps no more databases open than it may (G6)', async () => {
    const names = Array.from({ length: 12 }, (_, i) => `${i}.db`)
    for (const name of names) scene.create(name)
    let most = 0
    const fleet = await scene.replicate({
      maxOpen: 3,
      restAfterMs: 3_600_000,
      onEvent: () => {
        most = Math.max(most, fleetCounts())
      },
    })
    function fleetCounts(): number {
      return fleet === undefined ? 0 : fleet.counts.open + fleet.counts.opening
    }
    for (const name of names) await scene.until(() => scene.told(name).includes('snapshotted'))
    expect(most).toBeLessThanOrEqual(3)
    for (const name of names) expect(await scene.ask(`${name}/`)).toBe(1)
  })

  it('is durable when all of its databases are, more than may be open at once (G6)', async () => {
    const names = ['a.db', 'b.db', 'c.db', 'd.db']
    for (const name of names) scene.create(name)
    const fleet = await scene.replicate({ maxOpen: 2 })
    for (const name of names) scene.add(name)
    expect(await fleet.durable()).toEqual([])
    for (const name of names) expect(await scene.ask(`${name}/`)).toBe(2)
    expect(await fleet.close()).toEqual({ databases: 4, pendingFiles: 0, incomplete: [] })
  })

  it('tells which databases cannot be made durable, and does not wait for their next attempt (G7)', async () => {
    for (const name of ['a.db', 'b.db']) scene.create(name)
    writeFileSync(scene.path('.a.db-sqlstream'), 'a file where the folder for its state would be')
    const fleet = await scene.replicate()
    const failures = await fleet.durable()
    expect(failures).toMatchObject([{ database: { relpath: 'a.db' } }])
    expect(await scene.ask('b.db/')).toBe(1)
    expect(await fleet.close()).toMatchObject({
      databases: 2,
      pendingFiles: 0,
      incomplete: [{ relpath: 'a.db' }],
    })
  })

  it('shares a log of captures among its databases, one for each process, and leaves none at its end (L5)', async () => {
    for (const name of ['a.db', 'b.db', 'c.db']) scene.create(name)
    const first = await scene.replicate({
      folder: { path: scene.root, include: ['a.db', 'b.db'] },
      restAfterMs: 60_000,
    })
    const second = await scene.replicate({
      folder: { path: scene.root, include: ['c.db'] },
      restAfterMs: 60_000,
    })
    await first.settled()
    await second.settled()
    for (const name of ['a.db', 'b.db', 'c.db']) scene.add(name)
    await first.durable()
    await second.durable()
    const logs = ['.sqlstream-log', '.sqlstream-log-2'].map((name) => readLog(scene.path(name)))
    expect(logs.map(({ databases }) => databases.size)).toEqual([2, 1])
    await first.close()
    await second.close()
    for (const name of ['.sqlstream-log', '.sqlstream-log-2'])
      expect(readLog(scene.path(name)).segments).toEqual([])
  })

  it('replicates without a shared log where there can be none (L5)', async () => {
    scene.create('a.db')
    symlinkSync('/proc/self/none', scene.path('.sqlstream-log'))
    const fleet = await scene.replicate()
    await fleet.durable()
    expect(await scene.ask('a.db/')).toBe(1)
    expect(scene.events).toContainEqual(expect.objectContaining({ type: 'warning', code: 'no-shared-log' }))
  })

  it('goes on after its end from where it was, and uploads what came meanwhile', async () => {
    for (const name of ['a.db', 'b.db']) scene.create(name)
    const first = await scene.replicate()
    await first.settled()
    expect(await first.close()).toEqual({ databases: 2, pendingFiles: 0, incomplete: [] })
    scene.add('a.db')
    const second = await scene.replicate()
    await scene.until(() => second.counts.resting === 2)
    expect(await scene.ask('a.db/')).toBe(2)
    expect(scene.told('a.db').filter((type) => type === 'snapshotted')).toHaveLength(1)
  })
})
