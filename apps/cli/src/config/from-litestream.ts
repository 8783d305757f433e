import { resolve } from 'node:path'
import { splitTemplate } from '../url-template.ts'
import {
  type Config,
  type ConfigPath,
  type ConfigProblem,
  type DatabaseConfig,
  type FolderConfig,
  withoutRepeats,
} from './config.ts'
import { execOf, problemOf } from './from-file.ts'
import { parseGoDuration } from './go-duration.ts'
import { litestreamFolder } from './litestream-folder.ts'
import { enabledOf, litestreamMaintenance } from './litestream-maintenance.ts'
import type { LitestreamFile, LitestreamReplica } from './litestream-schema.ts'
import { NotMapped, replicaURL } from './litestream-url.ts'

/** What a path in the file is relative to, and what `~` means. */
export interface LitestreamPlaces {
  readonly folder: string
  readonly home: string
}

/** A file of Litestream as ours. */
export interface LitestreamResult {
  readonly config: Config
  /** What would make a difference that nobody expects: such a file is not used. */
  readonly problems: readonly ConfigProblem[]
  /** Keys that are not heeded. */
  readonly warnings: readonly ConfigProblem[]
}

const TIMING = 'sqlstream sets its own pace'
const CHECKPOINTS = 'sqlstream does its own checkpointing'
const NOT_YET = 'there is nothing like it in sqlstream yet'
const OF_0_3 = 'it is of Litestream 0.3; name snapshot.interval and snapshot.retention'

/** Keys that are read over, and why. */
const UNHEEDED: Readonly<Record<string, string>> = {
  addr: 'sqlstream replicate --metrics offers figures',
  'mcp-addr': NOT_YET,
  socket: 'sqlstream has a control socket without being asked; --socket names it',
  'snapshot-interval': OF_0_3,
  retention: OF_0_3,
  'retention-check-interval': TIMING,
  'l0-retention-check-interval': TIMING,
  'verify-compaction': 'every merge is verified',
  validation: 'sqlstream verify does it when asked',
  'validation-interval': 'sqlstream verify does it when asked',
  'heartbeat-url': NOT_YET,
  'heartbeat-interval': NOT_YET,
  'shutdown-sync-timeout': 'the first signal uploads what is left, a second one ends at once',
  'shutdown-sync-interval': TIMING,
  logging: 'add --json for one JSON object per event',
  'monitor-interval': TIMING,
  'checkpoint-interval': CHECKPOINTS,
  'min-checkpoint-page-count': CHECKPOINTS,
  'max-checkpoint-page-count': CHECKPOINTS,
  'truncate-page-n': CHECKPOINTS,
  'busy-timeout': CHECKPOINTS,
  'max-sync-wal-bytes': TIMING,
  'max-sync-ltx-files': TIMING,
  'restore-if-db-not-exists': 'sqlstream run does that, for every database; or run sqlstream restore before',
  'auto-recover': 'after any doubt sqlstream compares all pages and goes on',
  'concurrent-writes': TIMING,
  'max-reconnects': TIMING,
  'reconnect-wait': TIMING,
  timeout: TIMING,
}

/** Settings at the top that Litestream hands on to its replicas. */
const NOT_HANDED_ON: ReadonlySet<string> = new Set([
  'url',
  'path',
  'name',
  'type',
  'part-size',
  'concurrency',
  'host-key',
  'webdav-url',
  'webdav-username',
  'webdav-password',
])

/** Maps a file of Litestream, key by key. */
export function fromLitestream(file: LitestreamFile, places: LitestreamPlaces): LitestreamResult {
  const problems: ConfigProblem[] = []
  const warnings: ConfigProblem[] = []
  const { dbs, ...top } = file

  function readOver(values: Readonly<Record<string, unknown>>, path: ConfigPath): void {
    for (const key of Object.keys(values)) {
      const reason = UNHEEDED[key]
      if (key === 'retention' && enabledOf(values[key]) !== undefined) continue
      if (reason !== undefined)
        warnings.push({ path: [...path, key], message: 'is not heeded', hint: reason })
    }
    if (values['age'] !== undefined) {
      problems.push({
        path: [...path, 'age'],
        message: 'cannot be done: backups are not encrypted by sqlstream',
      })
    }
  }

  readOver(top, [])
  const exec = top.exec === undefined || top.exec === '' ? undefined : execOf(String(top.exec))
  problems.push(...(exec?.problems ?? []))
  const defaults = Object.fromEntries(Object.entries(top).filter(([key]) => !NOT_HANDED_ON.has(key)))

  const folders: FolderConfig[] = []
  const databases = dbs.flatMap((entry, i): DatabaseConfig[] => {
    const path = ['dbs', i]
    readOver(entry, path)
    const place = entry.path ?? entry.dir
    if (place === undefined || (entry.path !== undefined && entry.dir !== undefined)) {
      const message = place === undefined ? 'has no path' : 'has a path and a dir'
      problems.push({ path, message })
      return []
    }
    const folder = entry.dir === undefined ? undefined : litestreamFolder(entry, path)
    problems.push(...(folder?.problems ?? []))
    warnings.push(...(folder?.warnings ?? []))
    const several = entry.replicas ?? []
    const replica = entry.replica ?? several[0]
    if (replica === undefined || several.length + (entry.replica === undefined ? 0 : 1) !== 1) {
      problems.push({ path, message: 'needs one replica, and no more than one' })
      return []
    }
    const replicaPath = [...path, ...(entry.replica === undefined ? ['replicas', 0] : ['replica'])]
    readOver(replica, replicaPath)
    const merged = { ...defaults, ...replica } as LitestreamReplica
    const interval =
      merged['sync-interval'] === undefined ? undefined : parseGoDuration(merged['sync-interval'])
    if (merged['sync-interval'] !== undefined && interval === undefined) {
      const at =
        replica['sync-interval'] === undefined ? ['sync-interval'] : [...replicaPath, 'sync-interval']
      problems.push({ path: at, message: 'expected a duration above 0 such as 500ms, 1s or 1m30s' })
    }
    const found = litestreamMaintenance(file, entry.snapshot, path)
    problems.push(...found.problems)
    warnings.push(...found.warnings)
    try {
      const { url, environment } = replicaURL(merged)
      const metaPath = entry['meta-path']
      const mapped = {
        path: localPath(place, places),
        url,
        ...(interval === undefined ? {} : { syncIntervalMs: interval }),
        lease: {},
        ...(found.maintenance === undefined ? {} : { maintenance: found.maintenance }),
        environment,
      }
      if (folder !== undefined) {
        problems.push(...problemOf(() => splitTemplate(url), replicaPath))
        folders.push({ ...mapped, ...folder.selection })
        return []
      }
      return [
        {
          ...mapped,
          ...(metaPath === undefined ? {} : { stateDir: stateDir(localPath(metaPath, places)) }),
        },
      ]
    } catch (error) {
      if (!(error instanceof NotMapped)) throw error
      const at = error.key !== undefined && replica[error.key] === undefined ? [] : replicaPath
      problems.push({ path: error.key === undefined ? at : [...at, error.key], message: error.message })
      return []
    }
  })
  return {
    config: { drivers: [], databases, folders, ...(exec?.words && { exec: exec.words }) },
    problems: withoutRepeats(problems),
    warnings: withoutRepeats(warnings),
  }
}

function localPath(text: string, { folder, home }: LitestreamPlaces): string {
  const path = text.replace(/^sqlite3?:\/\//, '')
  return resolve(folder, path === '~' || path.startsWith('~/') ? home + path.slice(1) : path)
}

/** Beside Litestream's own folder, never in it: each deletes what it does not know there. */
function stateDir(metaPath: string): string {
  return `${metaPath.replace(/-litestream$/, '')}-sqlstream`
}
