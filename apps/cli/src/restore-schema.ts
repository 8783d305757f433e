import { z } from 'zod'
import { count, file, hex64, instant, milliseconds } from './schema-parts.ts'

// What `restore` gives with --json.

const check = z.enum(['none', 'quick', 'full'])

const restorePlan = z.strictObject({
  dryRun: z.literal(true),
  database: z.string(),
  source: z.string(),
  txid: hex64,
  timestamp: instant.optional(),
  bytesToRead: count,
  files: z.array(file),
})
export type RestorePlanJSON = z.infer<typeof restorePlan>

const restored = z.strictObject({
  dryRun: z.literal(false),
  database: z.string(),
  source: z.string(),
  txid: hex64,
  timestamp: instant,
  postApplyChecksum: hex64,
  proven: z.boolean(),
  check,
  pageSize: count,
  pages: count,
  bytes: count,
  bytesRead: count,
  /** That the target had already; with --delta, or after a restore that was interrupted. */
  pagesKept: count,
  milliseconds,
  files: z.array(file),
  /** Where what had been captured at the target before, and was never uploaded, was moved to. */
  kept: z.string().optional(),
})
export type RestoredJSON = z.infer<typeof restored>

const generationFile = z.strictObject({ name: z.string(), size: count, modified: instant })
export type GenerationFileJSON = z.infer<typeof generationFile>

/** Of a backup of Litestream 0.3, which knows neither TXIDs nor checksums of the whole database. */
const generation = {
  database: z.string(),
  source: z.string(),
  generation: hex64,
  timestamp: instant,
  files: z.array(generationFile),
}

const generationPlan = z.strictObject({ dryRun: z.literal(true), ...generation, bytesToRead: count })
export type GenerationPlanJSON = z.infer<typeof generationPlan>

const restoredGeneration = z.strictObject({
  dryRun: z.literal(false),
  ...generation,
  check,
  pageSize: count,
  pages: count,
  bytes: count,
  bytesRead: count,
  milliseconds,
})
export type RestoredGenerationJSON = z.infer<typeof restoredGeneration>

const treeEntry = z.strictObject({
  /** Path below the URL; empty for a replica at the URL itself. */
  replica: z.string(),
  database: z.string(),
  ok: z.boolean(),
  txid: hex64.optional(),
  timestamp: instant.optional(),
  bytes: count.optional(),
  /** Of a plan. */
  bytesToRead: count.optional(),
  proven: z.boolean().optional(),
  kept: z.string().optional(),
  error: z.strictObject({ message: z.string(), code: z.string(), hint: z.string().optional() }).optional(),
})
export type TreeEntryJSON = z.infer<typeof treeEntry>

export const restoreTree = z.strictObject({
  dryRun: z.boolean(),
  source: z.string(),
  folder: z.string(),
  failed: count,
  databases: z.array(treeEntry),
  milliseconds,
})
export type TreeJSON = z.infer<typeof restoreTree>

export const restore = z.union([restorePlan, restored, generationPlan, restoredGeneration])
export type RestoreJSON = z.infer<typeof restore> | TreeJSON
