import { rmSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { planRestore, Replica, restore, verify } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import {
  checkPrefix,
  compareImages,
  databaseImage,
  HOSTILE_MIX,
  lastCommit,
  Random,
  TempFolder,
  WriterProcess,
} from '@sqlstream/testkit'
import { expect, it } from 'vitest'
import { ReplicatorProcess } from './replicator-process.ts'

const SEED = Number(process.env['SQLSTREAM_SEED'] ?? Date.now() % 100_000)
const KILLS = 6
const MIX = { ...HOSTILE_MIX, largeRow: 0.002, bulk: 0.002 }

/** A writer, and replicators with a small spool and a store that can be away. */
class Scene implements AsyncDisposable {
  readonly folder = new TempFolder('given-up')
  readonly replica = new Replica(new FileStore(this.folder.join('replica')))
  readonly #options: ConstructorParameters<typeof ReplicatorProcess>[0]
  writer!: WriterProcess

  constructor(withLog: boolean) {
    this.#options = {
      database: this.folder.join('app.db'),
      replica: this.folder.join('replica'),
      commitLog: this.folder.join('commits'),
      durableLog: this.folder.join('durable'),
      downWhile: this.folder.join('down'),
      maxSpoolBytes: 300_000,
      ...(withLog && { log: this.folder.join('log') }),
    }
  }

  async write(seed: number): Promise<void> {
    const { database, commitLog } = this.#options
    this.writer = await WriterProcess.start({ database, commitLog, mix: MIX, rate: 100, seed })
  }

  start(failpoint?: string): ReplicatorProcess {
    return new ReplicatorProcess({ ...this.#options, ...(failpoint !== undefined && { failpoint }) })
  }

  down(): void {
    writeFileSync(this.folder.join('down'), '')
  }

  up(): void {
    rmSync(this.folder.join('down'), { force: true })
  }

  /** Resolves when something was made durable after this. */
  async durable(replicator: ReplicatorProcess): Promise<void> {
    const before = lastCommit(this.#options.durableLog)
    while (lastCommit(this.#options.durableLog) <= before) {
      expect(replicator.gone, replicator.stderr).toBe(false)
      await sleep(20)
    }
  }

  /** Takes the store away and brings it back, each time once captures were given up, until the replicator dies of it. */
  async giveUpUntilDead(replicator: ReplicatorProcess): Promise<void> {
    const givenUp = (): number =>
      replicator.messages.filter((message) => (message as { givenUp?: number }).givenUp !== undefined).length
    for (let times = givenUp() + 1; !replicator.gone; times++) {
      this.down()
      while (!replicator.gone && givenUp() < times) await sleep(20)
      this.up()
      const before = lastCommit(this.#options.durableLog)
      while (!replicator.gone && lastCommit(this.#options.durableLog) <= before) await sleep(20)
    }
  }

  /** Restores the head: a prefix of what was committed, with all that was durable. */
  async check(): Promise<string> {
    const { durableLog, commitLog } = this.#options
    const durable = lastCommit(durableLog)
    const path = this.folder.join('restored.db')
    const plan = planRestore(await this.replica.catalog(), { kind: 'latest' })
    const result = await restore(this.replica, plan, fileSink(path, { overwrite: true }))
    expect(result.proven).toBe(true)
    checkPrefix(path, commitLog, { atLeast: durable })
    return path
  }

  /** Everything that was committed is in the replica, page by page. */
  async end(): Promise<ReplicatorProcess> {
    this.up()
    const last = this.start()
    expect(await last.ready(), last.stderr).toBe(true)
    await this.writer.stop()
    await last.stop()
    const restored = await this.check()
    checkPrefix(restored, this.#options.commitLog, { atLeast: this.writer.committed() })
    await databaseImage(this.#options.database, this.folder.join('image.db'))
    expect(compareImages(restored, this.folder.join('image.db'))).toMatchObject({ equal: true })
    for await (const finding of verify(this.replica, { depth: 'bytes' }))
      expect(finding.severity, finding.message).not.toBe('error')
    return last
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.writer.kill()
    this.folder.remove()
  }
}

const places = ['owed:before-rename', 'owed:after-rename', 'given-up:removed', 'given-up:removed=3']
// The second note is that of the difference; what comes behind it is not in the replica.
const later = ['owed:before-rename=2', 'owed:after-rename=2']

it.each([
  ...[...places, ...later].map((place) => [place, 'without a log'] as const),
  ...['owed:after-rename', 'given-up:removed', 'owed:after-rename=2'].map(
    (place) => [place, 'with a log'] as const,
  ),
])(
  'D6: a death at %s, %s, loses nothing that was durable, and takes no snapshot',
  { timeout: 90_000 },
  async (place, mode) => {
    await using scene = new Scene(mode === 'with a log')
    await scene.write(SEED)
    const first = scene.start()
    await scene.durable(first)
    first.kill()
    await first.exited
    const dying = scene.start(place)
    // A large commit may bring it to its end at once.
    await dying.ready()
    // A slow machine may give up fewer files at a time than there are to be.
    await scene.giveUpUntilDead(dying)
    expect((await dying.exited).signal, `${place} was never passed: ${dying.stderr}`).toBe('SIGKILL')
    await scene.check()
    const last = await scene.end()
    expect(last.snapshots).toEqual([])
  },
)

it.each([0, 1])(
  'D2, D3, D6: deaths at random moments, with a store that comes and goes, lose nothing (seed %i)',
  {
    timeout: 180_000,
  },
  async (n) => {
    const random = new Random(SEED + n)
    await using scene = new Scene(n === 1)
    await scene.write(SEED + n)
    const first = scene.start()
    await scene.durable(first)
    first.kill()
    await first.exited
    for (let kill = 0; kill < KILLS; kill++) {
      scene.up()
      if (random.chance(0.3)) scene.down()
      const replicator = scene.start()
      if (random.chance(0.7)) await Promise.race([replicator.ready(), sleep(1500)])
      for (let turn = random.below(4); turn > 0; turn--) {
        if (random.chance(0.5)) scene.down()
        else scene.up()
        await sleep(random.below(500))
      }
      replicator.kill()
      await replicator.exited
      await scene.check()
    }
    await scene.end()
  },
)
