import { Random } from '@sqlstream/testkit'
import { describe, expect, it, vi } from 'vitest'
import { ReadHold } from '../../src/sqlite/connection.ts'
import { DatabaseFiles } from '../../src/sqlite/database-files.ts'
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

describe('an application that acts between any two steps of ours', () => {
  it.each(Array.from({ length: SEEDS }, (_, i) => FIRST_SEED + i))(
    'C1, C2, C3, C4: at each look at the wal-index and each begin and end of a read transaction (seed %i)',
    async (seed) => {
      await using scene = await Scene.begin()
      const random = new Random(seed)
      let acting = false
      let acted = 0
      const act = (): void => {
        // The checkpoints and commits of the application are steps of their own.
        if (acting || !random.chance(0.3)) return
        acting = true
        for (let i = random.below(3); i >= 0; i--) {
          try {
            scene.app.query(STATEMENTS[random.below(STATEMENTS.length)]!)
            acted++
          } catch (error) {
            // Kept out by our barrier.
            expect(error).toMatchObject({ code: 'SQLITE_BUSY' })
          }
        }
        acting = false
      }
      const primary = await scene.replicate({ checkpointFrames: 30 })
      await primary.durable()
      const index = DatabaseFiles.prototype.index
      const spies: { mockRestore(): void }[] = [
        vi.spyOn(DatabaseFiles.prototype, 'index').mockImplementation(function (this: DatabaseFiles) {
          const read = index.call(this)
          act()
          return read
        }),
      ]
      for (const step of ['begin', 'end'] as const) {
        const original = ReadHold.prototype[step]
        spies.push(
          vi.spyOn(ReadHold.prototype, step).mockImplementation(function (this: ReadHold) {
            original.call(this)
            act()
          }),
        )
      }
      try {
        for (let i = 0; i < 8; i++) {
          scene.app.run(addRows(3, 1500))
          if (random.chance(0.7)) await primary.checkpoint()
          else await primary.sync()
        }
      } finally {
        for (const spy of spies) spy.mockRestore()
      }
      expect(acted).toBeGreaterThan(20)
      await primary.durable()
      expect(scene.seen('resynced')).toEqual([])
      await scene.expectSamePages()
    },
  )
})
