import { z } from 'zod'
import { count, hex64, instant, milliseconds } from './schema-parts.ts'

// What `diff` gives with --json.

const change = z.enum(['added', 'removed', 'changed'])
const state = z.strictObject({ txid: hex64, timestamp: instant })

/** A value of a column. What JSON has no form for, or would be long, is an object. */
const value = z.union([
  z.null(),
  z.number(),
  z.string(),
  /** Beyond what a JSON number holds. */
  z.strictObject({ integer: z.string() }),
  z.strictObject({ real: z.string() }),
  /** The beginning, in hexadecimal. */
  z.strictObject({ blob: z.string(), bytes: count }),
  /** The beginning. */
  z.strictObject({ text: z.string(), characters: count }),
])
export type ValueJSON = z.infer<typeof value>

const row = z.strictObject({
  change,
  key: z.array(value),
  /** Of a changed row only what differs. */
  before: z.record(z.string(), value).optional(),
  after: z.record(z.string(), value).optional(),
})
export type RowJSON = z.infer<typeof row>

export const diff = z.strictObject({
  source: z.string(),
  from: state,
  to: state,
  schema: z.array(z.strictObject({ type: z.string(), name: z.string(), change })),
  tables: z.array(
    z.strictObject({
      name: z.string(),
      /** Columns by which rows are told apart. */
      key: z.array(z.string()),
      added: count,
      removed: count,
      changed: count,
      /** At most `limit` of each kind. */
      rows: z.array(row),
    }),
  ),
  /** Tables that cannot be compared row by row. */
  skipped: z.array(z.string()),
  limit: count,
  milliseconds,
})
export type DiffJSON = z.infer<typeof diff>
