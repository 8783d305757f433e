import type { RestorePlan } from './plan-restore.ts'
import type { Replica } from './replica.ts'
import type { PageSink, RestoreResult } from './restore/page-sink.ts'
import { type RestoreOptions, restore } from './restore/restore.ts'

/**
 * Does all that a restore does but keep the pages: each page of the state is read, decoded and held against the checksum of the whole
 * database, and nothing is written anywhere. `proven` in the result says whether the files told that checksum. Costs the bytes of a
 * restore, at most those of the plan's files, unless something is damaged: then they are read once more to name the file. Memory: that
 * of a restore.
 *
 * @throws what `restore` throws
 */
export async function proveRestorable(
  replica: Replica,
  plan: RestorePlan,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  return await restore(replica, plan, NOWHERE, options)
}

async function nothing(): Promise<void> {}

const NOWHERE: PageSink = {
  begin: nothing,
  write: nothing,
  truncate: nothing,
  commit: nothing,
  abort: nothing,
}
