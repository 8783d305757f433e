import { type AbortOptions, isKey } from '@sqlstream/storage'
import { timeOfTempName } from './hidden-names.ts'
import type { Resources } from './resources.ts'
import type { CallContext } from './webdav-errors.ts'

export interface SweepOptions extends AbortOptions {
  /** Only what was begun longer ago than this, by the writers' clocks. Must exceed the longest upload. Default: one hour. */
  readonly olderThanMs?: number | undefined
}

export interface SweepResult {
  /** Files and collections removed. */
  readonly files: number
}

/** Removes what crashed processes left behind in a collection and all below it. */
export async function sweepCollection(resources: Resources, options: SweepOptions): Promise<SweepResult> {
  const { olderThanMs = 3_600_000, signal } = options
  const context: CallContext = { operation: 'delete' }
  const before = Date.now() - olderThanMs
  const pending = ['']
  let files = 0
  for (let base = pending.pop(); base !== undefined; base = pending.pop()) {
    for (const { name, kind } of (await resources.readCollection(context, base, { signal })) ?? []) {
      signal?.throwIfAborted()
      if (kind === 'folder' && isKey(name)) pending.push(`${base}${name}/`)
      const time = timeOfTempName(name)
      // A collection under such a name was set aside because it seemed empty; an object that is in it must not be lost.
      if (time === undefined || time > before || kind === 'folder') continue
      await resources.remove(context, `${base}${name}`, { signal })
      files += 1
    }
  }
  return { files }
}
