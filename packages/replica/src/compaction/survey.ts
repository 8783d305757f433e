import { type Catalog, type LTXFile, withFiles } from '../catalog.ts'
import { ltxKey } from '../layout.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import { withHeaderTimes } from '../timestamps.ts'
import {
  type CompactionPlan,
  type CompactionPolicy,
  type Merge,
  pendingFiles,
  planCompaction,
} from './plan-compaction.ts'

/** Options of `surveyCompaction`. */
export interface CompactionSurveyOptions extends AbortOptions {
  readonly policy?: CompactionPolicy | undefined
  /** Milliseconds since 1970. */
  readonly now: number
}

/**
 * Everything that `compact` would do now, in its order, without doing it: merges of merges too, whose inputs are not there yet. A file that
 * is yet to be made counts with the bytes of its inputs, which is the most that it can have. Reads the headers that `compact` would read.
 */
export async function surveyCompaction(
  replica: Replica,
  catalog: Catalog,
  options: CompactionSurveyOptions,
): Promise<CompactionPlan> {
  const { policy, now } = options
  let current = await withHeaderTimes(replica, catalog, pendingFiles(catalog, policy), options)
  const merges: Merge[] = []
  for (;;) {
    const plan = planCompaction(current, now, policy)
    const [next] = plan.merges
    if (!next) return { merges, nextAt: plan.nextAt }
    // Those of one level do not depend on one another; those of the next may be of more files once these are done.
    const round = plan.merges.filter(({ level }) => level === next.level)
    merges.push(...round)
    current = withFiles(
      current,
      round.map((merge) => expected(replica, merge)),
    )
  }
}

/** The file that a merge will make, at its largest. */
function expected(replica: Replica, { level, inputs }: Merge): LTXFile {
  const first = inputs[0] as LTXFile
  const last = inputs.at(-1) as LTXFile
  const range = { minTXID: first.minTXID, maxTXID: last.maxTXID }
  return {
    ...last,
    ...range,
    key: ltxKey(replica.layout, level, range),
    level,
    size: inputs.reduce((sum, { size }) => sum + size, 0),
  }
}
