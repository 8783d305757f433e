import { copyFileSync, cpSync, existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { Replica } from '@sqlstream/replica'
import { withPrefix } from '@sqlstream/storage'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Fleet } from '../../src/fleet/fleet.ts'
import type { FleetOptions } from '../../src/fleet/fleet-options.ts'
import { Primary, readStatus } from '../../src/index.ts'
import { ParkedScene } from './parked-scene.ts'

let scene: ParkedScene
beforeEach(async () => {
  scene = await ParkedScene.begin()
})
afterEach(() => scene[Symbol.asyncDispose]())

const rewrite = (changes: object): void =>
  scene.rewriteRecord('a.db', (record) => ({ ...record, ...changes }))

describe('a database that rested when a process ended', () => {
  it('rests in the next one without a request, and is not opened (Q4)', async () => {
    await scene.restOnce(['a.db', 'b.db', 'x/c.db'])
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(fleet.counts).toMatchObject({ resting: 3, open: 0 })
    expect(scene.states('a.db')).toEqual(['resting'])
    expect(await fleet.close()).toEqual({ databases: 3, pendingFiles: 0, incomplete: [] })
    expect(scene.requests).toEqual([])
    expect(await readStatus(scene.path('a.db'))).toMatchObject({ running: false, pendingFiles: 0 })
  })

  it('is told as replicated up to where it was left, with nothing that waits (Q4)', async () => {
    await scene.restOnce(['a.db'])
    const fleet = await scene.replicate()
    await fleet.settled()
    const status = fleet.member(scene.path('a.db'))?.status
    expect(status).toMatchObject({ state: 'resting', captured: 1n, uploaded: 1n, pendingFiles: 0 })
    expect(status).not.toHaveProperty('unreplicatedSince')
  })

  it('is woken by a commit for the lease and one put, without a listing (Q5)', async () => {
    await scene.restOnce(['a.db', 'b.db'])
    const fleet = await scene.replicate()
    await fleet.settled()
    scene.add('a.db')
    await scene.until(() => scene.told('a.db').includes('uploaded'))
    expect(existsSync(scene.recordOf('a.db'))).toBe(false)
    const own = scene.requests.filter((each) => each.includes('a.db/') && !each.includes('probe'))
    expect(own.map((each) => each.replace(/-\S+/, ''))).toEqual([
      'get a.db/.sqlstream/lease.json',
      'put a.db/.sqlstream/lease.json',
      expect.stringMatching(/^put a\.db\/ltx\/0\//),
    ])
    expect(scene.told('a.db')).not.toContain('resynced')
    expect(scene.states('b.db')).toEqual(['resting'])
    expect(await scene.ask('a.db/')).toBe(2)
    await scene.until(() => fleet.counts.resting === 2)
    expect(existsSync(scene.recordOf('a.db'))).toBe(true)
  })

  it('is told as replicated after many restarts only as far as it is', async () => {
    await scene.restOnce(['a.db'])
    for (let round = 0; round < 4; round++) {
      const fleet = await scene.replicate()
      await fleet.settled()
      if (round % 2 === 0) {
        scene.add('a.db')
        await scene.until(() => scene.told('a.db').includes('uploaded'))
        await scene.until(() => fleet.counts.resting === 1)
      }
      await fleet.close()
      scene.events.length = 0
    }
    expect(scene.requests.filter((each) => each.startsWith('list'))).toEqual([])
    expect(await scene.ask('a.db/')).toBe(3)
  })

  it.each<[string, () => void | Promise<void>, number]>([
    ['is written', () => scene.add('a.db'), 2],
    [
      'is written and checkpointed',
      () => scene.app.run("INSERT INTO t(v) VALUES('x'); PRAGMA wal_checkpoint(TRUNCATE)", 'a.db'),
      2,
    ],
    ['is vacuumed', () => scene.app.run("INSERT INTO t(v) VALUES('x'); VACUUM", 'a.db'), 2],
    [
      'is written and closed',
      () => {
        scene.add('a.db')
        scene.app.close('a.db')
      },
      2,
    ],
    [
      'is replaced by another file',
      () => {
        scene.create('b.db')
        for (let i = 0; i < 4; i++) scene.add('b.db')
        for (const name of ['a.db', 'b.db']) scene.app.close(name)
        renameSync(scene.path('b.db'), scene.path('a.db'))
      },
      5,
    ],
    [
      'is replaced by a copy of itself that goes on',
      () => {
        scene.app.close('a.db')
        copyFileSync(scene.path('a.db'), scene.folder.join('copy'))
        rmSync(scene.path('a.db'))
        renameSync(scene.folder.join('copy'), scene.path('a.db'))
        scene.app.open(scene.path('a.db'), 'a.db')
        scene.add('a.db')
      },
      2,
    ],
    [
      'is replicated by another process',
      async () => {
        await using other = await Primary.open({
          database: scene.path('a.db'),
          replica: scene.replicaAt('a.db/'),
          maintenance: 'never',
        })
        scene.add('a.db')
        await other.durable()
      },
      2,
    ],
  ])('is opened when it %s between two processes, and nothing is lost (Q4)', async (_what, act, rows) => {
    await scene.expectOpenedAfter(act, rows)
  })

  it.each<[string, (record: string) => void]>([
    [
      'is damaged',
      (record) => writeFileSync(record, readFileSync(record, 'utf8').replace('"at":1', '"at":2')),
    ],
    ['is torn', (record) => writeFileSync(record, readFileSync(record, 'utf8').slice(0, 100))],
    ['is empty', (record) => writeFileSync(record, '')],
    ['is of another run of the machine, or of another machine', () => rewrite({ boot: 'x' })],
    ['is of a later version', () => rewrite({ version: 2 })],
    ['is of another replica', () => rewrite({ replica: 'memory b.db' })],
    ['knows nothing of the WAL', () => rewrite({ walEnd: undefined })],
    ['is missing', (record) => rmSync(record)],
  ])('is opened when its record %s (Q4)', async (_what, act) => {
    await scene.restOnce(['a.db'])
    act(scene.recordOf('a.db'))
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(scene.states('a.db')).toContain('open')
  })

  it('is opened where it goes to another store (Q4)', async () => {
    await scene.restOnce(['a.db'])
    const replicaOf: FleetOptions['replicaOf'] = ({ destination }) =>
      new Replica(withPrefix(scene.store, `other/${destination}`))
    const fleet = await scene.replicate({ storeName: 'other', replicaOf })
    await fleet.settled()
    expect(scene.states('a.db')).toContain('open')
    await fleet.durable()
    expect(await scene.ask('other/a.db/')).toBe(1)
  })

  it('is another database in a copy of the folder (Q4)', async () => {
    await scene.restOnce(['x/a.db'])
    cpSync(scene.path('x'), scene.path('y'), { recursive: true })
    const fleet = await scene.replicate()
    await fleet.settled()
    expect(scene.states('x/a.db')).toEqual(['resting'])
    expect(scene.states('y/a.db')).toContain('opening')
    expect(scene.states('y/a.db')[0]).not.toBe('resting')
  })

  it('is listed when the record of a lease says that somebody else held it (Q5)', async () => {
    await scene.restOnce(['a.db'])
    const record = readFileSync(scene.recordOf('a.db'))
    await using other = await Primary.open({
      database: scene.path('a.db'),
      replica: scene.replicaAt('a.db/'),
      maintenance: 'never',
    })
    await other.close()
    // As if its removal had been lost.
    writeFileSync(scene.recordOf('a.db'), record)
    scene.requests.length = 0
    const fleet = await scene.replicate()
    await fleet.settled()
    scene.add('a.db')
    await fleet.durable()
    expect(scene.requests.filter((each) => each.startsWith('list'))).toHaveLength(1)
    expect(await scene.ask('a.db/')).toBe(2)
  })
})

describe('maintenance of a database that rests since an earlier process', () => {
  const HOUR = 3_600_000
  let time: number
  beforeEach(() => {
    time = Date.now()
  })
  const options = (): Partial<FleetOptions> => ({ primary: { maintenance: {}, now: () => time } })

  async function pass(fleet: Fleet, hours: number): Promise<void> {
    for (let quarter = 0; quarter < 4 * hours; quarter++) {
      time += HOUR / 4
      await fleet.maintain()
    }
  }

  it('takes no request in a day of 50 databases that are not written (Q6)', {
    timeout: 120_000,
  }, async () => {
    const names = Array.from({ length: 50 }, (_, i) => `${i}.db`)
    await scene.restOnce(names, options())
    const fleet = await scene.replicate(options())
    await fleet.settled()
    // What the snapshots that were just made leave to do is done.
    await pass(fleet, 24)
    expect(scene.requests).toEqual([])
    expect(fleet.counts).toMatchObject({ resting: 50 })
  })

  it('is done for the one that was written, and for no other (Q6)', { timeout: 120_000 }, async () => {
    const names = Array.from({ length: 10 }, (_, i) => `${i}.db`)
    await scene.restOnce(names, options())
    const first = await scene.replicate(options())
    await first.settled()
    for (let i = 0; i < 3; i++) {
      scene.add('3.db')
      await scene.until(() => scene.told('3.db').filter((type) => type === 'uploaded').length > i)
    }
    await scene.until(() => first.counts.resting === 10)
    await first.close()
    scene.requests.length = 0
    scene.events.length = 0
    const fleet = await scene.replicate(options())
    await fleet.settled()
    expect(scene.requests).toEqual([])
    await pass(fleet, 2)
    await scene.until(() => scene.told('3.db').includes('compacted'))
    // Listings and deletions have no key: those of retention, which looks for pins.
    const keyed = scene.requests.filter((each) => !each.endsWith(' undefined') && !each.includes('probe'))
    expect(keyed.filter((each) => !each.includes('3.db/'))).toEqual([])
    expect(scene.requests.filter((each) => each.startsWith('list')).length).toBeLessThan(2)
  })
})
