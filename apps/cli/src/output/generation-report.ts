import type { GenerationPlan, RestoredImage } from '@sqlstream/replica'
import type { GenerationFileJSON, GenerationPlanJSON, RestoredGenerationJSON } from '../restore-schema.ts'
import { formatBytes, formatCount, formatDuration } from './units.ts'

/** What was asked for and how it was done, besides the plan. */
export type GenerationRun = Pick<RestoredGenerationJSON, 'database' | 'source' | 'check' | 'milliseconds'>

/** A plan of a restore from a backup of Litestream 0.3. */
export function generationPlanJSON(
  plan: GenerationPlan,
  where: Pick<GenerationPlanJSON, 'database' | 'source'>,
): GenerationPlanJSON {
  const files = filesOf(plan)
  return {
    dryRun: true,
    ...where,
    generation: plan.generation,
    timestamp: plan.timestamp.toISOString(),
    bytesToRead: files.reduce((bytes, { size }) => bytes + size, 0),
    files,
  }
}

/** What such a restore has produced. */
export function restoredGenerationJSON(
  plan: GenerationPlan,
  image: RestoredImage,
  run: GenerationRun,
): RestoredGenerationJSON {
  return {
    dryRun: false,
    generation: plan.generation,
    timestamp: image.timestamp.toISOString(),
    pageSize: image.pageSize,
    pages: image.commit,
    bytes: image.commit * image.pageSize,
    bytesRead: image.bytesRead,
    files: filesOf(plan),
    ...run,
  }
}

/** The plan for people. */
export function generationPlanLines(json: GenerationPlanJSON, instant: string): string[] {
  const files = `${formatCount(json.files.length, 'file')}, ${formatBytes(json.bytesToRead)}`
  return [
    `would restore generation ${json.generation} to ${json.database} from ${files}`,
    instant,
    ...json.files.map(({ name, size }) => `  ${name}  ${formatBytes(size)}`),
  ]
}

/** The result for people. */
export function restoredGenerationLines(json: RestoredGenerationJSON, instant: string): string[] {
  const size = `${formatBytes(json.bytes)} from ${formatCount(json.files.length, 'file')}`
  const check = json.check === 'none' ? '' : `; SQLite ${json.check} check passed`
  return [
    `restored ${json.database} from generation ${json.generation} of Litestream 0.3: ${size} in ${formatDuration(json.milliseconds)}`,
    instant,
    `every checksum is right (Litestream 0.3 does not record where a WAL ends)${check}`,
  ]
}

function filesOf({ snapshot, segments }: GenerationPlan): GenerationFileJSON[] {
  return [snapshot, ...segments].map(({ key, size, modified }) => ({
    name: key,
    size,
    modified: modified.toISOString(),
  }))
}
