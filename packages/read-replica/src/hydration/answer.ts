import type { AbortOptions } from '@sqlstream/replica'
import type { RowSets, Statement } from '../engine/messages.ts'
import type { Hydration } from './hydration.ts'
import { CopyUnreadable } from './local-reads.ts'

/** Rows from the copy; undefined: the backup has to be asked. */
export async function runOnCopy(
  hydration: Hydration | undefined,
  statements: readonly Statement[],
  options: AbortOptions,
): Promise<RowSets | undefined> {
  const reads = await hydration?.enter(options.signal)
  if (!reads) return undefined
  try {
    return await reads.run(statements, options)
  } catch (error) {
    if (!(error instanceof CopyUnreadable)) throw error
    return undefined
  } finally {
    reads.release()
  }
}

/** Rows from the copy, one by one. Returns whether there were any to be had: otherwise the backup has to be asked. */
export async function* iterateOnCopy<T>(
  hydration: Hydration | undefined,
  statement: Statement,
  options: AbortOptions,
): AsyncGenerator<T, boolean, void> {
  const reads = await hydration?.enter(options.signal)
  if (!reads) return false
  try {
    for await (const rows of reads.iterate(statement, options)) yield* rows as T[]
    return true
  } catch (error) {
    if (!(error instanceof CopyUnreadable)) throw error
    return false
  } finally {
    reads.release()
  }
}
