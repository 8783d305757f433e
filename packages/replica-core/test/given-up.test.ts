import { existsSync, readdirSync } from 'node:fs'
import { verify } from '@sqlstream/replica'
import { type BlobStore, type FaultyStore, withFaults } from '@sqlstream/storage'
import { describe, expect, it } from 'vitest'
import { DiskBudget } from '../src/budget/disk-budget.ts'
import { type PrimaryOptions, pendingSince, readStatus, stealLease } from '../src/index.ts'
import type { Primary } from '../src/primary.ts'
import { stateFolder } from '../src/state/state-folder.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

const MB = 2 ** 20

/** A scene whose disk is as full as the test says, and whose store answers when it may. */
class Full implements AsyncDisposable {
  readonly scene: Scene
  readonly #store: { faulty: FaultyStore }
  readonly disk = { freeBytes: 1000 * MB, totalBytes: 2000 * MB, device: 1 }
  readonly budget: DiskBudget
  primary!: Primary

  private constructor(scene: Scene, store: { faulty: FaultyStore }, limits: PrimaryOptions['disk']) {
    this.scene = scene
    this.#store = store
    this.budget = new DiskBudget(limits, () => this.disk)
  }

  static async begin(limits: PrimaryOptions['disk'] = { maxSpoolBytes: 200_000 }): Promise<Full> {
    const store = {} as { faulty: FaultyStore }
    const scene = await Scene.begin({
      wrap: (inner: BlobStore) => {
        store.faulty = withFaults(inner, [])
        return store.faulty
      },
    })
    const full = new Full(scene, store, limits)
    await full.open()
    await full.primary.durable()
    return full
  }

  async open(options: Partial<PrimaryOptions> = {}): Promise<void> {
    this.primary = await this.scene.replicate({ syncIntervalMs: 20, ...options }, { disk: this.budget })
  }

  down(how: 'fail' | 'applied-but-failed' = 'fail'): void {
    const others = ['list', 'head', 'get'] as const
    this.#store.faulty.setPlan([
      { operation: 'put', fault: how, error: 'unavailable' },
      ...others.map((operation) => ({ operation, fault: 'fail' as const, error: 'unavailable' as const })),
    ])
  }

  downForPuts(): void {
    this.#store.faulty.setPlan([{ operation: 'put', key: /ltx\//, fault: 'fail', error: 'unavailable' }])
  }

  up(): void {
    this.#store.faulty.setPlan([])
  }

  /** Writes until captures are given up. */
  async fill(): Promise<void> {
    const before = this.scene.seen('given-up').length
    for (let i = 0; i < 200 && this.scene.seen('given-up').length === before; i++) {
      this.scene.app.run(addRows(5, 5000))
      await this.primary.sync().catch(() => undefined)
    }
    expect(this.scene.seen('given-up').length).toBe(before + 1)
  }

  spooled(): string[] {
    return readdirSync(stateFolder(this.scene.database).spool)
  }

  get isOwed(): boolean {
    return existsSync(stateFolder(this.scene.database).owed)
  }

  /** The replica is one proven chain with the rows that the application has. */
  async expectWhole(): Promise<void> {
    await this.scene.expectSameRows()
    for await (const finding of verify(this.scene.replica, { depth: 'bytes' }))
      expect(finding.severity, finding.message).not.toBe('error')
  }

  /** As a process that is killed: nothing is uploaded any more. */
  async kill(): Promise<void> {
    await this.primary.close({ signal: AbortSignal.abort() })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.scene[Symbol.asyncDispose]()
  }
}

describe('captures that take more of the disk than they may', () => {
  it('D1, D2, D3, D4, T3: are given up; the application has its WAL and its disk, and what is missing goes up as one file', async () => {
    await using full = await Full.begin()
    const { scene, primary } = full
    const { captured: before } = primary.status
    full.down()
    scene.app.run(addRows(1, 10))
    const waiting = primary.durable()
    let isDurable = false
    void waiting.then(() => {
      isDurable = true
    })
    await full.fill()
    expect(scene.seen('given-up')[0]).toMatchObject({ reason: 'bound', files: expect.any(Number) })
    expect(primary.status).toMatchObject({
      state: 'suspended',
      uploaded: before!.txid,
      pendingFiles: 0,
      lastError: { code: 'given-up', hint: expect.any(String) },
    })
    expect(primary.status.unreplicatedSince).toBeLessThanOrEqual(Date.now())
    expect(full.spooled()).toEqual([])
    expect(full.isOwed).toBe(true)
    await expect(primary.sync()).rejects.toMatchObject({ code: 'given-up' })
    await expect(primary.checkpoint()).rejects.toMatchObject({ code: 'given-up' })
    // The WAL is free: the application may restart it, again and again, and nobody copies it for us.
    for (let i = 0; i < 3; i++) {
      scene.app.run(addRows(20, 5000))
      expect(scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')[0]![0]).toBe(0)
    }
    expect(isDurable).toBe(false)
    const { txid } = primary.status.captured!
    full.up()
    scene.events.length = 0
    await waiting
    await primary.durable()
    expect(scene.seen('snapshot-started')).toEqual([])
    expect(scene.seen('resynced')).toHaveLength(1)
    const files = await scene.files()
    const ranges = files.map(({ minTXID, maxTXID }) => [minTXID, maxTXID])
    expect(ranges).toContainEqual([before!.txid + 1n, txid + 1n])
    expect(primary.status.lastError).toBeUndefined()
    expect(primary.status.unreplicatedSince).toBeUndefined()
    expect(full.isOwed).toBe(false)
    scene.app.run(addRows(5))
    await primary.durable()
    await full.expectWhole()
    await scene.expectSamePages()
  })

  it('D4: pages that were given up and are again as they were before go up all the same', async () => {
    await using full = await Full.begin()
    const { scene, primary } = full
    scene.app.run('CREATE TABLE u(id INTEGER PRIMARY KEY, v); INSERT INTO u VALUES(1, zeroblob(4000))')
    await primary.durable()
    full.down()
    scene.app.run('UPDATE u SET v = randomblob(4000)')
    await full.fill()
    scene.app.run('UPDATE u SET v = zeroblob(4000); DELETE FROM t; VACUUM')
    full.up()
    await primary.durable()
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    await full.expectWhole()
    await scene.expectSamePages()
  })

  it('D5: an upload that arrived although it failed is found, and what follows continues it', async () => {
    await using full = await Full.begin()
    const { scene, primary } = full
    full.down('applied-but-failed')
    scene.app.run(addRows(1))
    await primary.sync()
    await scene.event((event) => event.type === 'failed' && event.operation === 'upload')
    const { uploaded, captured } = primary.status
    await full.fill()
    full.up()
    scene.events.length = 0
    await primary.durable()
    expect(scene.seen('snapshot-started')).toEqual([])
    const [first, second] = (await scene.files()).slice(-2)
    expect(first).toMatchObject({ minTXID: uploaded! + 1n, maxTXID: captured!.txid })
    expect(second).toMatchObject({ minTXID: captured!.txid + 1n })
    await full.expectWhole()
    await scene.expectSamePages()
  })

  it('D2, D6: the next process makes good what this one gave up, without a snapshot', async () => {
    await using full = await Full.begin()
    const { scene } = full
    full.down()
    await full.fill()
    const { unreplicatedSince } = full.primary.status
    await full.kill()
    expect(await readStatus(scene.database)).toMatchObject({ pendingFiles: 0, givenUp: true })
    scene.app.run(addRows(30, 1000))
    scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')
    full.up()
    expect(Math.abs(pendingSince(scene.database)! - unreplicatedSince!)).toBeLessThan(1000)
    scene.events.length = 0
    await full.open()
    await full.primary.durable()
    expect(scene.seen('snapshot-started')).toEqual([])
    expect(full.isOwed).toBe(false)
    expect((await readStatus(scene.database))?.givenUp).toBeUndefined()
    await full.expectWhole()
    await scene.expectSamePages()
  })

  it('D6: a process that ends while the difference goes up leaves enough for the next one', async () => {
    await using full = await Full.begin()
    const { scene } = full
    full.down()
    await full.fill()
    // The listing works, the put does not; what is captured behind it lies in the spool.
    full.up()
    full.downForPuts()
    await scene.event((event) => event.type === 'resynced')
    scene.app.run(addRows(3))
    await full.primary.sync()
    expect(full.spooled().length).toBeGreaterThan(0)
    await full.kill()
    full.up()
    scene.events.length = 0
    await full.open()
    await full.primary.durable()
    expect(scene.seen('snapshot-started')).toEqual([])
    await full.expectWhole()
    await scene.expectSamePages()
  })

  it('D2: again and again, also while the difference goes up, ends with everything in the replica', async () => {
    await using full = await Full.begin()
    const { scene, primary } = full
    for (let round = 0; round < 3; round++) {
      full.down()
      await full.fill()
      full.up()
      full.downForPuts()
      await scene.event(() => scene.seen('resynced').length === 2 * round + 1)
      await full.fill()
      full.up()
      await primary.durable()
      expect(scene.seen('resynced')).toHaveLength(2 * round + 2)
    }
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    await full.expectWhole()
    await scene.expectSamePages()
  })

  it('D5: a replica that another process has brought on meanwhile is not overwritten', async () => {
    await using full = await Full.begin()
    const { scene, primary } = full
    full.down()
    await full.fill()
    full.up()
    // Its lease is broken, as by an operator.
    await stealLease(scene.replica.store)
    await expect(primary.durable()).rejects.toMatchObject({ code: 'fenced' })
    expect(primary.status.state).toBe('fenced')
  })

  it('D3: a close brings everything into the replica if that answers, and says so if it does not', async () => {
    await using full = await Full.begin()
    const { scene } = full
    full.down()
    await full.fill()
    expect(await full.primary.close()).toMatchObject({ pendingFiles: 0, givenUp: true })
    full.up()
    await full.open()
    await full.primary.durable()
    full.down()
    await full.fill()
    full.up()
    const report = await full.primary.close()
    expect(report).toMatchObject({ pendingFiles: 0, uploaded: report.captured!.txid })
    expect(report.givenUp).toBeUndefined()
    await scene.expectSamePages()
  })
})

describe('a disk that is nearly full', () => {
  it('D1: a replica that keeps up goes on', async () => {
    await using full = await Full.begin({})
    full.disk.freeBytes = 0
    for (let i = 0; i < 10; i++) {
      full.scene.app.run(addRows(5, 5000))
      await full.primary.durable()
    }
    expect(full.scene.seen('given-up')).toEqual([])
    await full.scene.expectSamePages()
  })

  it('D1, D2: an image that keeps the WAL from being restarted is given up, and taken again', async () => {
    const store = {} as { faulty: FaultyStore }
    await using scene = await Scene.begin({
      wrap: (inner) => {
        store.faulty = withFaults(inner, [
          { operation: 'put', key: /ltx\/9\//, fault: 'fail', error: 'unavailable' },
        ])
        return store.faulty
      },
    })
    const disk = { freeBytes: 1000 * MB, totalBytes: 2000 * MB, device: 1 }
    const primary = await scene.replicate({ syncIntervalMs: 20 }, { disk: new DiskBudget({}, () => disk) })
    for (let i = 0; i < 6; i++) scene.app.run(addRows(300, 3000))
    expect(scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')[0]![0]).toBe(1)
    disk.freeBytes = 10 * MB
    await scene.event((event) => event.type === 'given-up')
    expect(scene.app.query('PRAGMA wal_checkpoint(TRUNCATE)')[0]![0]).toBe(0)
    disk.freeBytes = 1000 * MB
    store.faulty.setPlan([])
    await primary.durable()
    expect(scene.seen('snapshotted')).toHaveLength(1)
    await scene.expectSameRows()
    await scene.expectSamePages()
  })
})
