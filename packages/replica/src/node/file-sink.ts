import { mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import type { PageBatch } from '@sqlstream/ltx'
import { type PageSink, ReplicaError, type RestoreResult } from '../index.ts'
import { describeTarget, syncFolder } from './folder.ts'
import { publish } from './publish.ts'
import { TempFile } from './temp-file.ts'

/** How thorough the integrity check of a restored file is. */
export type IntegrityCheck = 'none' | 'quick' | 'full'

/** Options of `fileSink`. */
export interface FileSinkOptions {
  /** Replace a database that is there. Default false: throws ReplicaError `sink-exists`. */
  readonly overwrite?: boolean
  /** Default `none`: the checksums of the LTX files prove that the pages are the captured ones. */
  readonly check?: IntegrityCheck
  /**
   * Runs SQLite's own check on a file that nobody else knows yet, and returns what it complains about (empty: nothing).
   * Needed for `quick` and `full`.
   */
  readonly runCheck?: (path: string, check: 'quick' | 'full') => Promise<readonly string[]>
}

/**
 * A database file as the target of a restore. Pages go to `.<name>.sqlstream-restore` in the same folder; at the end it
 * is synced, checked and renamed, so that the target is at any moment what it was before, or complete. What an earlier
 * restore left behind when it was killed is removed at the start.
 *
 * Leftover `-wal`, `-shm` and `-journal` files of an earlier database of that name are moved to
 * `<name>.sqlstream-old-…`, since SQLite would apply them to the restored file.
 *
 * Throws ReplicaError `sink-exists`, `disk-full`, `check-failed`; other errors of the file system as they are.
 */
export function fileSink(path: string, options: FileSinkOptions = {}): PageSink {
  const { overwrite = false, check = 'none', runCheck } = options
  if (check !== 'none' && !runCheck) throw new TypeError(`check '${check}' needs runCheck`)
  let temp: TempFile | undefined
  let pageSize = 0

  async function open(): Promise<TempFile> {
    const target = describeTarget(path)
    if (target.kind === 'folder') throw new ReplicaError('sink-exists', `${path} is a folder`)
    if (target.kind === 'file' && !overwrite) throw exists(path)
    const folder = dirname(target.path)
    const made = mkdirSync(folder, { recursive: true })
    if (made !== undefined) await syncFolder(dirname(made))
    return new TempFile(join(folder, `.${basename(target.path)}.sqlstream-restore`), target)
  }

  return {
    async begin(shape) {
      pageSize = shape.pageSize
      temp = await open()
    },
    async write(batch) {
      diskErrors(path, () => writeRuns(temp as TempFile, batch, pageSize))
    },
    async truncate(commit) {
      diskErrors(path, () => (temp as TempFile).resize(commit * pageSize))
    },
    async commit(result: RestoreResult) {
      const file = temp as TempFile
      try {
        // Also makes room for the lock page and holes at the end, which no batch has written.
        file.resize(result.commit * pageSize)
        await file.sync()
      } catch (error) {
        throw diskError(path, error)
      }
      if (check !== 'none' && runCheck) {
        const complaints = await runCheck(file.path, check)
        if (complaints.length > 0) throw failedCheck(path, check, complaints)
      }
      await publish(file, overwrite)
      temp = undefined
    },
    async abort() {
      temp?.discard()
      temp = undefined
    },
  }
}
