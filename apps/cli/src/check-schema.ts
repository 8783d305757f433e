import { z } from 'zod'
import { count, milliseconds, tier } from './schema-parts.ts'

// What `storage check`, `config check` and `config show` give with --json.

export const storageCheck = z.strictObject({
  store: z.string(),
  driver: z.string(),
  quick: z.boolean(),
  ok: z.boolean(),
  claims: z.strictObject({ conditionalPut: z.boolean(), consistentList: z.boolean() }),
  /** What the driver claims and the service does not keep. */
  disproved: z.array(z.enum(['conditionalPut', 'consistentList'])),
  probe: z.strictObject({
    createOnly: z.boolean(),
    compareAndSet: z.boolean(),
    races: z.enum(['one-winner', 'several-winners', 'no-winner', 'not-tried']),
    honoured: z.boolean(),
    findings: z.array(z.string()),
  }),
  clauses: z.array(
    z.strictObject({
      clause: z.string().regex(/^S\d+$/),
      outcome: z.enum(['kept', 'broken', 'not tried']),
    }),
  ),
  tests: z.array(
    z.strictObject({
      name: z.string(),
      outcome: z.enum(['passed', 'failed', 'skipped']),
      milliseconds,
      reason: z.string().optional(),
      error: z.string().optional(),
    }),
  ),
  milliseconds,
})
export type StorageCheckJSON = z.infer<typeof storageCheck>

const configNote = z.strictObject({
  /** In the file; absent when it is about the whole. */
  line: count.optional(),
  key: z.string(),
  message: z.string(),
  hint: z.string().optional(),
})
const configHead = { file: z.string(), format: z.enum(['sqlstream', 'litestream']) }

export const configCheck = z.strictObject({
  ...configHead,
  ok: z.boolean(),
  databases: count,
  folders: count,
  problems: z.array(configNote),
  warnings: z.array(configNote),
})
export type ConfigCheckJSON = z.infer<typeof configCheck>

const shownSettings = {
  path: z.string(),
  url: z.string(),
  syncIntervalMs: milliseconds.optional(),
  onBehind: z.enum(['refuse', 'snapshot']).optional(),
  onDiverged: z.enum(['refuse', 'snapshot']).optional(),
  /** Span of each merged level. Absent here and below: the defaults. */
  levelsMs: z.union([z.array(milliseconds), z.literal('never')]).optional(),
  snapshots: z
    .union([
      z.strictObject({ growth: z.number().optional(), maxAgeMs: milliseconds.optional() }),
      z.literal('never'),
    ])
    .optional(),
  retention: z
    .union([
      z.strictObject({ keep: z.array(tier), graceMs: milliseconds, minSnapshots: count }),
      z.literal('never'),
    ])
    .optional(),
  verify: z
    .union([z.strictObject({ everyMs: milliseconds, bytesPerDay: count }), z.literal('never')])
    .optional(),
  lease: z.strictObject({ ttlMs: milliseconds.optional(), soleWriter: z.boolean().optional() }),
  /** Names; the values are hidden. */
  environment: z.record(z.string(), z.literal('***')),
}

const shownLimits = z.strictObject({
  spoolBytes: count.optional(),
  diskReserveBytes: count.optional(),
  uploads: count.optional(),
  merges: count.optional(),
  uploadMemoryBytes: count.optional(),
  requestsPerSecond: count.optional(),
  monthlyRequests: count.optional(),
})

export const configShow = z.strictObject({
  ...configHead,
  drivers: z.array(z.string()),
  socket: z.string().optional(),
  metrics: z.strictObject({ listen: z.string(), perDatabase: z.boolean() }).optional(),
  limits: shownLimits.optional(),
  /** The application of `sqlstream run`: a program and its arguments. */
  exec: z.array(z.string()).optional(),
  databases: z.array(z.strictObject({ ...shownSettings, stateDir: z.string().optional() })),
  folders: z.array(
    z.strictObject({
      ...shownSettings,
      include: z.array(z.string()).optional(),
      exclude: z.array(z.string()).optional(),
      recursive: z.boolean().optional(),
      maxOpen: count.optional(),
      restAfterMs: milliseconds.optional(),
    }),
  ),
})
export type ConfigShowJSON = z.infer<typeof configShow>
