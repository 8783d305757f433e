import type { CompactionPolicy, RetentionTier } from '@sqlstream/replica'
import type { MaintenanceOptions } from '@sqlstream/replica-core'
import { spellByteSize } from '../byte-size.ts'
import type { ConfigShowJSON } from '../check-schema.ts'
import { spellDuration } from '../duration.ts'
import { spellReach, spellStep } from '../keep.ts'
import type { TierJSON } from '../schema-parts.ts'
import { tierJSON } from './retention.ts'
import { formatCount } from './units.ts'

/** What a configuration says about merging, retention and verification, as it appears in `--json` output. */
type MaintenanceJSON = Pick<
  ConfigShowJSON['databases'][number],
  'levelsMs' | 'snapshots' | 'retention' | 'verify'
>

/** What is said of merging, retention and verification, as it appears in `--json` output; what is not said is left out. */
export function maintenanceJSON({
  compaction,
  retention,
  verification,
}: MaintenanceOptions): MaintenanceJSON {
  return {
    ...(compaction === 'never' ? { levelsMs: compaction } : compaction && compactionJSON(compaction)),
    ...(retention === undefined
      ? {}
      : {
          retention:
            retention === 'never'
              ? retention
              : {
                  keep: retention.keep.map(tierJSON),
                  graceMs: retention.grace,
                  minSnapshots: retention.minSnapshots,
                },
        }),
    ...(verification && { verify: verification === 'never' ? verification : { ...verification } }),
  }
}

function compactionJSON({ levels, snapshots }: CompactionPolicy): MaintenanceJSON {
  const { growth, maxAge } = typeof snapshots === 'object' ? snapshots : {}
  return {
    ...(levels && { levelsMs: [...levels.every] }),
    ...(snapshots === undefined
      ? {}
      : {
          snapshots:
            snapshots === 'never'
              ? snapshots
              : {
                  ...(growth === undefined ? {} : { growth }),
                  ...(maxAge === undefined ? {} : { maxAgeMs: maxAge }),
                },
        }),
  }
}

/** The same in lines for people. */
export function maintenanceLines({ levelsMs, snapshots, retention, verify }: MaintenanceJSON): string[] {
  const lines: string[] = []
  if (levelsMs === 'never') lines.push('nothing is merged')
  else if (levelsMs) lines.push(`levels of ${levelsMs.map(spellDuration).join(', ')}`)
  if (snapshots === 'never') lines.push('snapshots only by hand')
  else if (snapshots) {
    const { growth, maxAgeMs } = snapshots
    const when = [
      ...(growth === undefined ? [] : [`the increments are ${growth} times its size`]),
      ...(maxAgeMs === undefined ? [] : [`the last one is ${spellDuration(maxAgeMs)} old`]),
    ]
    if (when.length > 0) lines.push(`a snapshot when ${when.join(', or ')}`)
  }
  if (retention === 'never') lines.push('nothing is removed')
  else if (retention) {
    const { keep, graceMs, minSnapshots } = retention
    const steps = keep.map(tierOf).map((tier) => `${spellStep(tier)} for ${spellReach(tier)}`)
    const least = `${formatCount(minSnapshots, 'snapshot')} at any age`
    lines.push(`kept: ${steps.join(', ')}, ${least}; grace of ${spellDuration(graceMs)}`)
  }
  if (verify === 'never') lines.push('proven restorable only by hand')
  else if (verify) {
    const budget = `${spellByteSize(verify.bytesPerDay)} read in 24 hours`
    lines.push(`proven restorable every ${spellDuration(verify.everyMs)}, at most ${budget}`)
  }
  return lines
}

function tierOf({ everyMs, forMs = Number.POSITIVE_INFINITY }: TierJSON): RetentionTier {
  return { every: everyMs ?? 'capture', for: forMs }
}
