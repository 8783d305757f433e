import {
  type CompactionPolicy,
  checkLevels,
  type RetentionPolicy,
  retentionFromLitestream,
} from '@sqlstream/replica'
import type { MaintenanceOptions } from '@sqlstream/replica-core'
import type { ConfigPath, ConfigProblem } from './config.ts'
import { parseGoDuration } from './go-duration.ts'
import type { LitestreamFile } from './litestream-schema.ts'

type SnapshotKeys = NonNullable<LitestreamFile['snapshot']>

/** What Litestream's keys about levels, snapshots and retention mean for one of its databases. */
export interface LitestreamMaintenance {
  /** Absent when the file says nothing about it: then our own defaults count, which keep more. */
  readonly maintenance?: MaintenanceOptions
  readonly problems: readonly ConfigProblem[]
  readonly warnings: readonly ConfigProblem[]
}

/**
 * Maps `levels`, `snapshot`, `l0-retention` and `retention.enabled`. When any of them is there, what stays restorable is what
 * Litestream would have kept, with its defaults for the others.
 *
 * @param own `snapshot` of the database, which goes before that of the file key by key
 * @param path of the database
 */
export function litestreamMaintenance(
  file: LitestreamFile,
  own: SnapshotKeys | undefined,
  path: ConfigPath,
): LitestreamMaintenance {
  const problems: ConfigProblem[] = []
  const warnings: ConfigProblem[] = []
  function read(value: string | number | undefined, at: ConfigPath, mayBeNone = false): number | undefined {
    if (value === undefined) return undefined
    if (mayBeNone && /^0[a-zµ]*$/.test(String(value))) return 0
    const milliseconds = parseGoDuration(String(value))
    if (milliseconds === undefined)
      problems.push({ path: at, message: 'expected a duration above 0 such as 500ms, 1s or 1m30s' })
    return milliseconds
  }
  function snapshotKey(key: 'interval' | 'retention'): number | undefined {
    return own?.[key] === undefined
      ? read(file.snapshot?.[key], ['snapshot', key])
      : read(own[key], [...path, 'snapshot', key])
  }
  const enabled = enabledOf(file.retention)
  const { levels } = file
  if ([levels, file.snapshot, own, file['l0-retention'], enabled].every((value) => value === undefined)) {
    return { problems, warnings }
  }
  const snapshotIntervalMs = snapshotKey('interval')
  const snapshotRetentionMs = snapshotKey('retention')
  const l0RetentionMs = read(file['l0-retention'], ['l0-retention'], true)
  const intervals = levels?.map(({ interval }, i) => read(interval, ['levels', i, 'interval']))
  const every = intervals?.filter((each) => each !== undefined)
  const compaction: CompactionPolicy = {
    ...(every === undefined || every.length === 0 || !areLevels(every, warnings)
      ? {}
      : { levels: { every } }),
    ...(snapshotIntervalMs === undefined ? {} : { snapshots: { maxAge: snapshotIntervalMs } }),
  }
  const retention: RetentionPolicy | 'never' =
    enabled === false
      ? 'never'
      : retentionFromLitestream({
          snapshotIntervalMs,
          snapshotRetentionMs,
          l0RetentionMs,
          levelIntervalsMs: every?.length === 0 ? undefined : every,
        })
  return { maintenance: { compaction, retention }, problems, warnings }
}

/** Litestream takes any intervals; ours nest, so that what one level keeps is among what the one below has. */
function areLevels(every: readonly number[], warnings: ConfigProblem[]): boolean {
  try {
    checkLevels({ every })
    return true
  } catch (error) {
    warnings.push({
      path: ['levels'],
      message: 'is not heeded',
      hint: `levels of 30s, 5m and 1h are made instead: ${(error as Error).message}`,
    })
    return false
  }
}

/** The switch of Litestream 0.5; undefined for the duration that this key was in 0.3. */
export function enabledOf(retention: unknown): boolean | undefined {
  const enabled: unknown = Reflect.get(Object(retention), 'enabled')
  return typeof enabled === 'boolean' ? enabled : undefined
}
