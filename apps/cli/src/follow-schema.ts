import { z } from 'zod'
import { count, error, hex64, instant, milliseconds } from './schema-parts.ts'

// What `follow` and `promote` give with --json.

const head = { time: instant, replica: z.string(), file: z.string() }
const pos = z.strictObject({ txid: hex64, postApplyChecksum: hex64 })

/** One line of `follow --json`. New types of events may be added; ignore those you do not know. */
export const followEvent = z.discriminatedUnion('type', [
  z.strictObject({
    ...head,
    type: z.literal('restored'),
    pos,
    commit: count.describe('Pages.'),
    bytes: count,
    milliseconds,
  }),
  z.strictObject({ ...head, type: z.literal('resumed'), pos }),
  z.strictObject({
    ...head,
    type: z.literal('applied'),
    from: hex64,
    pos,
    files: count,
    pages: count,
    timestamp: instant,
    milliseconds,
  }),
  z.strictObject({ ...head, type: z.literal('rebased'), from: hex64, pos, pages: count, milliseconds }),
  z.strictObject({ ...head, type: z.literal('current'), pos }),
  z.strictObject({ ...head, type: z.literal('stale'), lagMs: milliseconds }),
  z.strictObject({ ...head, type: z.literal('fresh') }),
  z.strictObject({ ...head, type: z.literal('failed'), error, retryInMs: milliseconds }),
  z.strictObject({ ...head, type: z.literal('stopped'), pos }),
])
export type FollowEventJSON = z.infer<typeof followEvent>

export const promote = z.strictObject({
  source: z.string(),
  file: z.string(),
  txid: hex64,
  postApplyChecksum: hex64,
  timestamp: instant,
  /** Of the lease that shuts the former writer out. Absent with --sole-writer. */
  epoch: z
    .string()
    .regex(/^[0-9]+$/)
    .optional(),
  /** Folder with what had been captured beside the file before and was never uploaded. */
  kept: z.string().optional(),
})
export type PromoteJSON = z.infer<typeof promote>
