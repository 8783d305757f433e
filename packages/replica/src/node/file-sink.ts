import { mkdirSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { type PageSink, ReplicaError, type WrittenPages } from '../index.ts'
import { describeTarget, isSameFile, syncFolder, type Target } from './folder.ts'
import { existsError, publish } from './publish.ts'
import { type JournalEntry, readJournal, removeJournal, writeJournal } from './restore-journal.ts'
import { baseOfCopy, baseOfInterrupted } from './target-base.ts'
import { sweep, TempFile } from './temp-file.ts'

const SAVE_BYTES = 256 * 1024 * 1024

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
  /**
   * Begin with a copy of the database that is there, and read only pages that have changed since, if it is a state of this
   * replica. It is replaced, as with `overwrite`. Default false.
   */
  readonly delta?: boolean
  /**
   * Called before a file that is there is copied or replaced, and once more right before it is replaced; rejects when somebody uses it.
   * Default: nobody is asked.
   */
  readonly mayReplace?: (path: string) => Promise<void>
  /** After so many bytes what is written is noted, for a restore that goes on after a crash of this one. Default 256 MiB. */
  readonly saveAfterBytes?: number
}

/**
 * A database file as the target of a restore. Pages go to `.<name>.sqlstream-restore` in the same folder; at the end it
 * is synced, checked and renamed, so that the target is at any moment what it was before, or complete. What an earlier
 * restore of the same replica left behind when it was killed is gone on with, as far as it was noted; anything else is
 * removed at the start.
 *
 * Leftover `-wal`, `-shm` and `-journal` files of an earlier database of that name are moved to
 * `<name>.sqlstream-old-…`, since SQLite would apply them to the restored file.
 *
 * Throws ReplicaError `sink-exists`, `disk-full`, `check-failed`; other errors of the file system as they are.
 */
export function fileSink(path: string, options: FileSinkOptions = {}): PageSink {
  const { check = 'none', runCheck, mayReplace, delta = false, saveAfterBytes = SAVE_BYTES } = options
  const overwrite = options.overwrite === true || delta
  if (check !== 'none' && !runCheck) throw new TypeError(`check '${check}' needs runCheck`)
  let temp: TempFile | undefined
  let interrupted: JournalEntry | undefined
  let isCopy = false
  let pageSize = 0
  let saving: Promise<void> | undefined

  function inUse(): TempFile {
    if (!temp) throw new TypeError('begin() comes first')
    return temp
  }

  return {
    saveAfterBytes,
    async begin(shape, { mayReuse }) {
      if (temp) throw new TypeError('begin() was called already')
      pageSize = shape.pageSize
      const { target, tempPath } = await prepareTarget(path, overwrite)
      if (target.kind === 'file') await mayReplace?.(target.path)
      try {
        interrupted = mayReuse ? readJournal(tempPath) : undefined
        temp = interrupted?.pageSize === pageSize ? TempFile.reopen(tempPath, target, interrupted) : undefined
        if (temp) return
        interrupted = undefined
        isCopy = delta && mayReuse && target.kind === 'file'
        temp = isCopy ? TempFile.copy(tempPath, target, target.path) : TempFile.create(tempPath, target)
      } catch (error) {
        throw diskError(path, error)
      }
    },
    async base(shape) {
      if (interrupted) {
        const { pos, pages } = interrupted
        return baseOfInterrupted(inUse(), shape.pageSize, pos.postApplyChecksum, pages)
      }
      return isCopy ? baseOfCopy(inUse(), shape.pageSize) : undefined
    },
    async write(batch) {
      const file = inUse()
      onDisk(path, () => writeRuns(file, batch, pageSize))
    },
    async save(pos, written) {
      if (saving !== undefined) return
      const file = inUse()
      const entry = { pos, pageSize, pages: written.copy(), ...file.identity }
      // Beside the restore, which need not wait: a page counts as written when it survives a power cut.
      saving = file
        .syncData()
        .then(() => writeJournal(file.path, entry))
        .catch(() => undefined)
        .finally(() => {
          saving = undefined
        })
    },
    async truncate(commit) {
      const file = inUse()
      onDisk(path, () => file.resize(commit * pageSize))
    },
    async commit(result) {
      const file = inUse()
      // Also makes room for the lock page and for holes at the end, which no batch has written.
      onDisk(path, () => file.resize(result.commit * pageSize))
      await saving
      try {
        await file.sync()
      } catch (error) {
        throw diskError(path, error)
      }
      file.close()
      if (check !== 'none' && runCheck) {
        const complaints = await runCheck(file.path, check)
        if (complaints.length > 0) throw checkFailed(path, check, complaints)
      }
      const { path: place } = file.target
      if (describeTarget(place).kind === 'file') await mayReplace?.(place)
      await publish(file, overwrite)
      removeJournal(file.path)
      temp = undefined
    },
    async abort() {
      await saving
      temp?.discard()
      temp = undefined
    },
  }
}

async function prepareTarget(
  path: string,
  overwrite: boolean,
): Promise<{ readonly target: Target; readonly tempPath: string }> {
  const target = describeTarget(path)
  if (target.kind === 'folder') throw new ReplicaError('sink-exists', `${path} is a folder`)
  const folder = dirname(target.path)
  const tempPath = join(folder, `.${basename(target.path)}.sqlstream-restore`)
  if (target.kind === 'file' && !overwrite) {
    // A restore that was killed at its very last step has left a second name of the finished file.
    if (isSameFile(tempPath, target.path)) sweep(tempPath)
    throw existsError(path)
  }
  const made = mkdirSync(folder, { recursive: true })
  if (made !== undefined) await syncFolder(dirname(made))
  return { target, tempPath }
}

/** Writes a batch with one call for each run of consecutive pages; they lie back to back in it. */
function writeRuns(file: TempFile, batch: WrittenPages, pageSize: number): void {
  const { count, pgnos, data } = batch
  for (let start = 0; start < count; ) {
    const first = pgnos[start] as number
    let end = start + 1
    while (end < count && pgnos[end] === first + (end - start)) end++
    file.write(data.subarray(start * pageSize, end * pageSize), (first - 1) * pageSize)
    start = end
  }
}

function onDisk(path: string, work: () => void): void {
  try {
    work()
  } catch (error) {
    throw diskError(path, error)
  }
}

function diskError(path: string, error: unknown): unknown {
  const code = error instanceof Error ? Reflect.get(error, 'code') : undefined
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error
  return new ReplicaError('disk-full', `no room for ${path}`, {
    cause: error,
    hint: 'Free some space or choose another disk; what was written has been removed.',
  })
}

function checkFailed(path: string, check: string, complaints: readonly string[]): ReplicaError {
  const more = complaints.length > 1 ? ` (and ${complaints.length - 1} more)` : ''
  return new ReplicaError('check-failed', `the ${check} check of ${path} says: ${complaints[0]}${more}`, {
    hint: 'The file was not created. An earlier state may pass.',
  })
}
