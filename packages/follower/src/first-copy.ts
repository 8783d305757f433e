import {
  type PageSink,
  type Progress,
  type Replica,
  type RestorePlan,
  type RestoreResult,
  restore,
} from '@sqlstream/replica'
import { createModestPool, fileSink } from '@sqlstream/replica/node'
import { FollowerError } from './errors.ts'
import type { NotesFile } from './notes-file.ts'
import { cookieOf, counterOf, makeLocal, ownFields } from './page-one.ts'

/** How the first copy is made. */
export interface FirstCopyOptions {
  readonly overwrite: boolean
  /** See `fileSink`. */
  readonly mayReplace?: ((path: string) => Promise<void>) | undefined
  readonly databaseId?: string | undefined
  readonly onProgress?: ((progress: Progress) => void) | undefined
  readonly signal: AbortSignal
}

/**
 * Restores the newest state as a file that readers may open: with a rollback journal, where the database has a WAL. Killed at any point it leaves no
 * file, or one whose position is noted.
 */
export async function makeFirstCopy(
  replica: Replica,
  plan: RestorePlan,
  path: string,
  notes: NotesFile,
  options: FirstCopyOptions,
): Promise<RestoreResult> {
  const { overwrite, mayReplace, signal, onProgress } = options
  const inner = fileSink(path, { overwrite, ...(mayReplace && { mayReplace }) })
  const sink = localised(inner, notes, options.databaseId)
  return await restore(replica, plan, sink, { signal, onProgress, pool: createModestPool })
}

/** Gives page 1 the fields of a copy, at the last moment: what is proven is the database. */
function localised(inner: PageSink, notes: NotesFile, databaseId: string | undefined): PageSink {
  let pageOne: Uint8Array | undefined
  let size = 0
  return {
    ...inner,
    async begin(shape, options) {
      size = shape.pageSize
      await inner.begin(shape, options)
    },
    async base(shape) {
      const base = await inner.base?.(shape)
      // Page 1 is read again: it is needed here.
      base?.pages.delete(1)
      return base
    },
    async write(batch) {
      const { count, pgnos, data } = batch
      for (let i = 0; i < count; i++) {
        if (pgnos[i] === 1) pageOne = data.slice(i * size, (i + 1) * size)
      }
      await inner.write(batch)
    },
    async commit(image) {
      const result = image as RestoreResult
      if (pageOne === undefined) throw new FollowerError('empty', 'the database has no page')
      const fields = ownFields(pageOne)
      const counter = (counterOf(pageOne) + 1) >>> 0
      makeLocal(pageOne, { counter, commit: result.commit, cookie: cookieOf(pageOne) })
      await inner.write({ count: 1, pgnos: Uint32Array.of(1), data: pageOne })
      const { pos, pageSize, commit, timestamp } = result
      const applied = { ...pos, pageSize, commit, timestamp: timestamp.getTime(), counter, fields }
      notes.write({ databaseId, applied })
      await inner.commit(result)
    },
  }
}
