import { z } from 'zod'

// What the schemas of several commands are made of.

/** TXIDs and checksums are 64 bits wide, too wide for a JSON number: 16 hex digits. */
export const hex64 = z.string().regex(/^[0-9a-f]{16}$/)
export const instant = z.iso.datetime()
export const count = z.int().min(0)
export const milliseconds = z.number().min(0)
export const range = { minTXID: hex64, maxTXID: hex64 }
export const level = z.int().min(0).max(9)

export const file = z.strictObject({
  name: z.string(),
  level,
  ...range,
  size: count,
  modified: instant,
  timestamp: instant.optional(),
})
export type FileJSON = z.infer<typeof file>

/** A restorable state. */
export const point = z.strictObject({ txid: hex64, time: instant })

/** A step of what stays restorable: one of `every` and `everyMs`. */
export const tier = z.strictObject({
  every: z.literal('capture').optional(),
  everyMs: milliseconds.optional(),
  /** Absent: for ever. */
  forMs: milliseconds.optional(),
})
export type TierJSON = z.infer<typeof tier>

/** The state that was restored as a drill and proven last. */
export const proof = z.strictObject({
  txid: hex64,
  postApplyChecksum: hex64,
  timestamp: instant,
  provenAt: instant,
  by: z.string(),
})
export type ProofJSON = z.infer<typeof proof>

export const error = z.strictObject({ message: z.string(), code: z.string(), hint: z.string().optional() })
