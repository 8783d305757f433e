import { z } from 'zod'
import { count } from '../schema-parts.ts'

/** What `/healthz` answers: with 200 when the status is `ok`, else with 503. */
export const health = z.strictObject({
  status: z.enum(['ok', 'restoring', 'opening', 'stopping', 'lagging', 'failed', 'stopped', 'fenced']),
  databases: count,
  /** Age of the oldest commit that a replica lacks, of all databases; 0 where none lacks any. */
  lagSeconds: z.number().min(0),
})
export type HealthJSON = z.infer<typeof health>
