import {
  type CompactionPolicy,
  createRetentionPolicy,
  isReplicaError,
  type RetentionPolicy,
} from '@sqlstream/replica'
import type { MaintenanceOptions, VerificationPolicy } from '@sqlstream/replica-core'
import { parseByteSize } from '../byte-size.ts'
import { CLIError } from '../cli-error.ts'
import { parseDuration } from '../duration.ts'
import { levelsOf } from '../levels.ts'
import type { ConfigPath, ConfigProblem } from './config.ts'
import type { ConfigFile } from './file-schema.ts'

/** The keys about merging, retention and verification, of a database or of the whole file. */
export type MaintenanceKeys = Pick<ConfigFile, 'levels' | 'snapshots' | 'retention' | 'verify'>

/** A key that was looked for in two places. */
interface Found<Key extends keyof MaintenanceKeys> {
  readonly value: MaintenanceKeys[Key]
  readonly path: ConfigPath
}

/**
 * What the keys mean for one database. A key of the database replaces that of the whole file; undefined when neither says anything.
 *
 * @param path of the database in the file
 */
export function maintenanceOf(
  file: MaintenanceKeys,
  database: MaintenanceKeys,
  path: ConfigPath,
): { readonly maintenance?: MaintenanceOptions; readonly problems: readonly ConfigProblem[] } {
  const problems: ConfigProblem[] = []
  function find<Key extends keyof MaintenanceKeys>(key: Key): Found<Key> {
    return database[key] === undefined
      ? { value: file[key], path: [key] }
      : { value: database[key], path: [...path, key] }
  }
  function checked<T>(at: ConfigPath, work: () => T): T | undefined {
    try {
      return work()
    } catch (error) {
      if (!(error instanceof CLIError) && !isReplicaError(error, 'bad-policy')) throw error
      problems.push({
        path: at,
        message: `makes no sense: ${error.message}`,
        ...(error.hint === undefined ? {} : { hint: error.hint }),
      })
      return undefined
    }
  }
  const levels = find('levels')
  const snapshots = find('snapshots')
  const retention = find('retention')
  const verify = find('verify')
  if (levels.value === 'never' && typeof snapshots.value === 'object') {
    problems.push({
      path: snapshots.path,
      message: 'cannot be made without levels',
      hint: 'they are made of merged files; leave one of the two keys out',
    })
  }
  const compaction = checked(levels.path, () => compactionOf(levels.value, snapshots.value))
  const policy = checked(retention.path, () => retentionOf(retention.value))
  const maintenance = {
    ...(compaction === undefined ? {} : { compaction }),
    ...(policy === undefined ? {} : { retention: policy }),
    ...(verify.value === undefined ? {} : { verification: verificationOf(verify.value) }),
  }
  return { ...(Object.keys(maintenance).length === 0 ? {} : { maintenance }), problems }
}

function compactionOf(
  levels: MaintenanceKeys['levels'],
  snapshots: MaintenanceKeys['snapshots'],
): CompactionPolicy | 'never' | undefined {
  if (levels === 'never') return 'never'
  if (levels === undefined && snapshots === undefined) return undefined
  return {
    ...(levels === undefined ? {} : { levels: levelsOf(levels) }),
    ...(snapshots === undefined ? {} : { snapshots: snapshotsOf(snapshots) }),
  }
}

function snapshotsOf(
  snapshots: NonNullable<MaintenanceKeys['snapshots']>,
): NonNullable<CompactionPolicy['snapshots']> {
  if (snapshots === 'never') return 'never'
  const { growth, maxAge } = snapshots
  return {
    ...(growth === undefined ? {} : { growth }),
    ...(maxAge === undefined ? {} : { maxAge: parseDuration(maxAge) }),
  }
}

function retentionOf(retention: MaintenanceKeys['retention']): RetentionPolicy | 'never' | undefined {
  if (retention === undefined || retention === 'never') return retention
  const { keep, grace, minSnapshots } = retention
  return createRetentionPolicy({
    keep: keep?.map(({ every, for: span }) => ({
      every: every === 'capture' ? every : parseDuration(every),
      for: span === 'forever' ? Number.POSITIVE_INFINITY : parseDuration(span),
    })),
    grace: grace === undefined ? undefined : parseDuration(grace),
    minSnapshots,
  })
}

function verificationOf(verify: NonNullable<MaintenanceKeys['verify']>): VerificationPolicy | 'never' {
  if (verify === 'never') return verify
  return { everyMs: parseDuration(verify.every ?? '24h'), bytesPerDay: parseByteSize(verify.budget) }
}
