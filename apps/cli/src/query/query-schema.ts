import { z } from 'zod'
import { hex64, instant } from '../schema-parts.ts'

// What `query` gives with --json.

/** JSON has no blobs, and its numbers end at 2^53: an integer beyond is a text of digits. */
const value = z.union([
  z.null(),
  z.number(),
  z.string(),
  z.strictObject({ integer: z.string().regex(/^-?[0-9]+$/) }),
  z.strictObject({ base64: z.base64() }),
])
export type ValueJSON = z.infer<typeof value>

export const query = z.strictObject({
  source: z.string(),
  txid: hex64,
  timestamp: instant,
  /** One for each statement. */
  results: z.array(z.strictObject({ columns: z.array(z.string()), rows: z.array(z.array(value)) })),
})
export type QueryJSON = z.infer<typeof query>
