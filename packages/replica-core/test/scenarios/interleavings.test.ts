import { Random } from '@sqlstream/testkit'
import { describe, expect, it, vi } from 'vitest'
import { ReadHold } from '../../src/sqlite/connection.ts'
import { DatabaseFiles } from '../../src/sqlite/database-files.ts'
import type { Application } from './support/application.ts'
import { addRows, Scene } from './support/scene.ts'

const SEEDS = Number(process.env['SQLSTREAM_INTERLEAVINGS'] ?? 8)
const FIRST_SEED = Number(process.env['SQLSTREAM_SEED'] ?? 1)
const STATEMENTS = [
  "INSERT INTO t(v) VALUES('between')",
  "INSERT INTO t(v) VALUES('between')",
  'UPDATE t SET v = randomblob(200) WHERE id % 5 = 0',
  'PRAGMA wal_checkpoint(PASSIVE)',
  'PRAGMA wal_checkpoint(FULL)',
  'PRAGMA wal_checkpoint(RESTART)',
  'PRAGMA wal_checkpoint(TRUNCATE)',
]

/** An application that acts, as the seed says, at each look of ours at the wal-index and each begin and end of a read transaction. */
class Meddler {
  acted = 0
  readonly #app: Application
  readonly #random: Random
  readonly #spies: { mockRestore(): void }[] = []
  #acting = false

  constructor(app: Application, random: Random) {
    this.#app = app
    this.#random = random
  }

  begin(): void {
    const act = (): void => this.#act()
    const index = DatabaseFiles.prototype.index
    this.#spies.push(
      vi.spyOn(DatabaseFiles.prototype, 'index').mockImplementation(function (this: DatabaseFiles) {
        const read = index.call(this)
        act()
        return read
      }),
    )
    for (const step of ['begin', 'end'] as const) {
      const original = ReadHold.prototype[step]
      this.#spies.push(
        vi.spyOn(ReadHold.prototype, step).mockImplementation(function (this: ReadHold) {
          original.call(this)
          act()
        }),
      )
    }
  }

  end(): void {
    for (const spy of this.#spies) spy.mockRestore()
    this.#spies.length = 0
  }

  #act(): void {
    if (this.#acting || !this.#random.chance(0.3)) return
    this.#acting = true
    for (let i = this.#random.below(3); i >= 0; i--) {
      try {
        this.#app.query(STATEMENTS[this.#random.below(STATEMENTS.length)]!)
        this.acted++
      } catch (error) {
        // Kept out by our barrier.
        expect(error).toMatchObject({ code: 'SQLITE_BUSY' })
      }
    }
    this.#acting = false
  }
}

const seeds = Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i)

describe('an application that acts between any two steps of ours', () => {
  it.each(seeds)('C1, C2, C3, C4: while we capture and checkpoint (seed %i)', async (seed) => {
    await using scene = await Scene.begin()
    const random = new Random(seed)
    const meddler = new Meddler(scene.app, random)
    const primary = await scene.replicate({ checkpointFrames: 30 })
    await primary.durable()
    meddler.begin()
    try {
      for (let i = 0; i < 8; i++) {
        scene.app.run(addRows(3, 1500))
        if (random.chance(0.7)) await primary.checkpoint()
        else await primary.sync()
      }
    } finally {
      meddler.end()
    }
    expect(meddler.acted).toBeGreaterThan(20)
    await primary.durable()
    expect(scene.seen('resynced')).toEqual([])
    await scene.expectSamePages()
  })

  it.each(seeds)('P6: while we start, compare and stop, again and again (seed %i)', async (seed) => {
    await using scene = await Scene.begin()
    const random = new Random(seed)
    const meddler = new Meddler(scene.app, random)
    for (let i = 0; i < 5; i++) {
      scene.app.run(addRows(3, 1500))
      meddler.begin()
      try {
        const primary = await scene.replicate({ checkpointFrames: 30 })
        await primary.durable()
        if (random.chance(0.3)) await primary.checkpoint()
        await primary.close()
      } finally {
        meddler.end()
      }
    }
    expect(scene.seen('failed')).toEqual([])
    expect(scene.seen('snapshot-started')).toHaveLength(1)
    await scene.replicate()
    await scene.expectSamePages()
  })
})
