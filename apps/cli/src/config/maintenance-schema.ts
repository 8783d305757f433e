import { z } from 'zod'
import { byteSize, duration, mapping } from './file-values.ts'

const never = z.literal('never')

const levels = z
  .union(
    [
      never,
      z.array(duration, { error: 'expected a list of durations' }).min(1, 'expected at least one level'),
    ],
    {
      error: 'expected durations, level 1 first, such as [30s, 5m, 1h], or never',
    },
  )
  .describe(
    'span of the files of each merged level, level 1 first, default [30s, 5m, 1h]; never: nothing is merged',
  )

const snapshots = z
  .union(
    [
      never,
      z.strictObject(
        {
          growth: z
            .number({ error: 'expected a number' })
            .positive('expected a number above 0')
            .describe('when what came after the last one has so many times its bytes, default 1')
            .optional(),
          maxAge: duration
            .describe('when the last one is so old and something came after it, default 24h')
            .optional(),
        },
        mapping,
      ),
    ],
    { error: 'expected a mapping, or never' },
  )
  .describe('when a snapshot is made of what the replica holds')

const tier = z.strictObject(
  {
    every: z
      .union([z.literal('capture'), duration], { error: 'expected capture, or a duration such as 30s' })
      .describe('every capture, or the last state of each step'),
    for: z
      .union([z.literal('forever'), duration], { error: 'expected a duration such as 24h, or forever' })
      .describe('up to which age'),
  },
  mapping,
)

const retention = z
  .union(
    [
      never,
      z.strictObject(
        {
          keep: z
            .array(tier, { error: 'expected a list of steps' })
            .min(1, 'expected at least one step')
            .describe(
              'what stays restorable, the youngest states first; each coarser, and for longer, than the one before',
            )
            .optional(),
          grace: duration
            .describe('how long a needless file stays, longer than the longest restore; default 1h')
            .optional(),
          minSnapshots: z
            .int({ error: 'expected a whole number' })
            .min(1, 'expected a whole number from 1')
            .describe('so many newest snapshots stay at any age, default 2')
            .optional(),
        },
        mapping,
      ),
    ],
    { error: 'expected a mapping, or never' },
  )
  .describe('what stays restorable; never: nothing is removed')

const verify = z
  .union(
    [
      never,
      z.strictObject(
        {
          every: duration.describe('time between two proofs, default 24h').optional(),
          budget: byteSize.describe('most bytes that are read for it in 24 hours, such as 10GB'),
        },
        mapping,
      ),
    ],
    { error: 'expected a mapping, or never' },
  )
  .describe('how often the newest state is read and proven restorable; never, the default: not here')

/** Of a database, and at the top of the file for those that do not say it themselves. */
export const maintenanceSettings = {
  levels: levels.optional(),
  snapshots: snapshots.optional(),
  retention: retention.optional(),
  verify: verify.optional(),
}
