import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { type FaultyStore, withFaults } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { compareImages, databaseImage, TempFolder } from '@sqlstream/testkit'
import { describe, expect, it } from 'vitest'
import { Primary, type PrimaryEvent } from '../src/index.ts'
import { Application } from './scenarios/support/application.ts'
import { addRows } from './scenarios/support/scene.ts'

const MB = 2 ** 20
const canMount = process.platform === 'linux' && process.getuid?.() === 0

/** A file system of 64 MiB with an application on it; the replica is elsewhere. */
class SmallDisk implements AsyncDisposable {
  readonly folder = new TempFolder('small-disk')
  readonly events: PrimaryEvent[] = []
  readonly store: FaultyStore
  readonly replica: Replica
  readonly app: Application
  primary!: Primary

  private constructor(app: Application) {
    this.app = app
    mkdirSync(this.disk)
    const { status, stderr } = spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=64m', 'tmpfs', this.disk])
    if (status !== 0) throw new Error(`mount: ${stderr}`)
    this.store = withFaults(new FileStore(this.folder.join('replica')), [])
    this.replica = new Replica(this.store)
  }

  static async begin(): Promise<SmallDisk> {
    const scene = new SmallDisk(await Application.start())
    scene.app.open(scene.database)
    scene.app.run('PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0; PRAGMA busy_timeout=5000')
    scene.app.run('CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
    scene.primary = await Primary.open({
      database: scene.database,
      replica: scene.replica,
      maintenance: 'never',
      syncIntervalMs: 20,
      onEvent: (event) => scene.events.push(event),
    })
    await scene.primary.durable()
    return scene
  }

  get disk(): string {
    return this.folder.join('disk')
  }

  get database(): string {
    return `${this.disk}/app.db`
  }

  get freeBytes(): number {
    const { bavail, bsize } = statfsSync(this.disk)
    return bavail * bsize
  }

  down(): void {
    const operations = ['put', 'list', 'head', 'get'] as const
    this.store.setPlan(
      operations.map((operation) => ({ operation, fault: 'fail', error: 'unavailable' }) as const),
    )
  }

  /** Commits until the database has so many bytes more, all of them new, at most 20 MB a second. @throws what the application meets */
  async write(bytes: number): Promise<void> {
    for (let done = 0; done < bytes; done += 200_000) {
      await this.app.runBeside(addRows(40, 5000))
      // In turn with us: how fast which of the two processes is would decide the test.
      await this.primary.sync().catch(() => undefined)
      await sleep(10)
    }
  }

  async expectWhole(): Promise<void> {
    await this.primary.durable()
    await this.primary.close()
    const path = this.folder.join('restored.db')
    const plan = planRestore(await this.replica.catalog(), { kind: 'latest' })
    const result = await restore(this.replica, plan, fileSink(path, { overwrite: true }))
    expect(result.proven).toBe(true)
    this.app.close('main')
    await databaseImage(this.database, this.folder.join('image.db'))
    expect(compareImages(path, this.folder.join('image.db'))).toMatchObject({ equal: true })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.primary?.close({ signal: AbortSignal.abort() })
    await this.app[Symbol.asyncDispose]()
    spawnSync('umount', ['-l', this.disk])
    this.folder.remove()
  }
}

describe.skipIf(!canMount)('a disk of 64 MiB', () => {
  it('D1, D2, D4, T35: while the store is away the application fills the disk with its own data, and then everything is in the replica', {
    timeout: 120_000,
  }, async () => {
    await using scene = await SmallDisk.begin()
    scene.down()
    // Twice what would fit if captures or the WAL were kept as well.
    await scene.write(44 * MB)
    const given = scene.events.filter((event) => event.type === 'given-up')
    expect(given.length).toBeGreaterThan(0)
    expect(scene.primary.status.state).toBe('suspended')
    scene.store.setPlan([])
    await scene.expectWhole()
    expect(scene.events.filter(({ type }) => type === 'snapshot-started')).toHaveLength(1)
  })

  it('D1, T35: to the last byte: what the application could commit is in the replica once there is room', {
    timeout: 120_000,
  }, async () => {
    await using scene = await SmallDisk.begin()
    scene.down()
    await scene.write(10 * MB)
    const ballast = `${scene.disk}/ballast`
    spawnSync('dd', ['if=/dev/zero', `of=${ballast}`, 'bs=4096'], { stdio: 'ignore' })
    expect(scene.freeBytes).toBe(0)
    // What was ours goes first; then its errors are its own, and what it rolls back is nowhere.
    let failed = 0
    for (let i = 0; i < 400 && failed < 5; i++) {
      try {
        scene.app.run(addRows(40, 5000))
      } catch {
        failed++
      }
      await sleep(50)
    }
    expect(failed).toBe(5)
    scene.store.setPlan([])
    rmSync(ballast)
    await scene.write(2 * MB)
    await scene.expectWhole()
  })

  it('D1: with a store that answers, a disk that others have filled is no reason to give anything up', {
    timeout: 120_000,
  }, async () => {
    await using scene = await SmallDisk.begin()
    writeFileSync(`${scene.disk}/ballast`, new Uint8Array(60 * MB))
    expect(existsSync(scene.database)).toBe(true)
    for (let i = 0; i < 10; i++) {
      scene.app.run(addRows(10, 1000))
      await scene.primary.durable()
    }
    expect(scene.events.filter(({ type }) => type === 'given-up')).toEqual([])
    rmSync(`${scene.disk}/ballast`)
    await scene.expectWhole()
  })
})
