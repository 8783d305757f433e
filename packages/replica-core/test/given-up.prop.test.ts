import { verify } from '@sqlstream/replica'
import { type FaultyStore, withFaults } from '@sqlstream/storage'
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { Budgets } from '../src/budget/budgets.ts'
import type { Primary } from '../src/primary.ts'
import { addRows, Scene } from './scenarios/support/scene.ts'

const STEPS = {
  write: addRows(4, 3000),
  rewrite: 'UPDATE t SET v = randomblob(500) WHERE id % 3 = 0',
  delete: 'DELETE FROM t WHERE id % 5 = 0',
  vacuum: 'VACUUM',
  truncate: 'PRAGMA wal_checkpoint(TRUNCATE)',
} as const
const step = fc.oneof(
  fc.constantFrom(...(Object.keys(STEPS) as (keyof typeof STEPS)[])),
  fc.constantFrom('write' as const, 'up' as const, 'down' as const, 'lost answers' as const),
  fc.constantFrom('fill' as const, 'sync' as const, 'kill' as const),
)

it('D2-D6: whatever happens in between, in the end everything is in the replica, as one proven chain', {
  timeout: 240_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
      let faulty: FaultyStore | undefined
      await using scene = await Scene.begin({
        wrap: (inner) => {
          faulty = withFaults(inner, [])
          return faulty
        },
      })
      const { disk } = new Budgets({ disk: { maxSpoolBytes: 60_000 } })
      const open = (): Promise<Primary> => scene.replicate({ syncIntervalMs: 5 }, { disk })
      let primary = await open()
      await primary.durable()
      for (const each of steps) {
        switch (each) {
          case 'up':
            faulty!.setPlan([])
            break
          case 'down':
          case 'lost answers': {
            const put = each === 'down' ? 'fail' : 'applied-but-failed'
            const others = ['list', 'head', 'get'] as const
            faulty!.setPlan([
              { operation: 'put', fault: put, error: 'unavailable' },
              ...others.map((operation) => ({ operation, fault: 'fail', error: 'unavailable' }) as const),
            ])
            break
          }
          case 'sync':
            await primary.sync().catch(() => undefined)
            break
          case 'fill':
            for (let i = 0; i < 10; i++) {
              scene.app.run(STEPS.write)
              await primary.sync().catch(() => undefined)
            }
            break
          case 'kill':
            await primary.close({ signal: AbortSignal.abort() })
            faulty!.setPlan([])
            primary = await open()
            break
          default:
            // Our locks may be in the way of a checkpoint, never of a write.
            scene.app.run(STEPS[each])
        }
      }
      faulty!.setPlan([])
      await primary.durable()
      await scene.expectSameRows()
      for await (const finding of verify(scene.replica, { depth: 'bytes' }))
        expect(finding.severity, finding.message).not.toBe('error')
      expect(scene.seen('snapshot-started').map(({ reason }) => reason)).toEqual(['first-start'])
      await scene.expectSamePages()
    }),
    { numRuns: Number(process.env['SQLSTREAM_RUNS'] ?? 12) },
  )
})
