import { statSync } from 'node:fs'
import { planRestore, type RestorePlan } from '@sqlstream/replica'
import { FollowerError } from './errors.ts'
import type { FollowerEvent } from './events.ts'
import { makeFirstCopy } from './first-copy.ts'
import { LocalCopy } from './local-copy.ts'
import { NotesFile } from './notes-file.ts'
import type { FollowerOptions } from './options.ts'
import type { StateFolder } from './state-folder.ts'

/** What the replica tells before anything is opened. */
interface Source {
  readonly databaseId: string | undefined
  /** How to restore the newest state, if there is no copy to go on with. */
  readonly plan: RestorePlan | undefined
}

/** Asks the replica for what `openCopy` needs. @throws ReplicaError `no-snapshot`, `gap`; the store's errors */
export async function readSource(options: FollowerOptions, signal: AbortSignal): Promise<Source> {
  const { replica, file, replace = false } = options
  const databaseId = (await replica.identity({ signal }))?.databaseId
  const exists = statSync(file, { throwIfNoEntry: false }) !== undefined
  if (exists && !replace) return { databaseId, plan: undefined }
  return { databaseId, plan: planRestore(await replica.catalog({ signal }), { kind: 'latest' }) }
}

/** What opening works with: the options, and when it must end. */
export type OpenContext = FollowerOptions &
  Source & {
    readonly signal: AbortSignal
    readonly emit: (event: FollowerEvent) => void
    readonly now: () => number
  }

/**
 * The copy at a path: as it was left, or a new one.
 * @throws FollowerError `target-exists`, `wrong-replica`, `local-changed`, `promoted`; what a restore throws
 */
export async function openCopy(
  context: OpenContext,
  folder: StateFolder,
): Promise<{ readonly copy: LocalCopy; readonly isForeign: boolean }> {
  const notes = new NotesFile(folder.notes)
  try {
    return context.plan === undefined
      ? takeUp(context, folder, notes)
      : { copy: await begin(context, context.plan, folder, notes), isForeign: false }
  } catch (error) {
    notes[Symbol.dispose]()
    throw error
  }
}

function takeUp(
  { file, databaseId, emit, failpoint, exclusively, onDiverged }: OpenContext,
  folder: StateFolder,
  notes: NotesFile,
): { readonly copy: LocalCopy; readonly isForeign: boolean } {
  if (notes.notes === undefined) throw targetExists(file)
  const mine = notes.notes.databaseId
  const isForeign = mine !== undefined && databaseId !== undefined && mine !== databaseId
  if (isForeign && onDiverged !== 'rebase') throw wrongReplica()
  const copy = LocalCopy.open(file, folder, notes, { failpoint, exclusively })
  if (!isForeign && mine !== databaseId) copy.identify(databaseId)
  const { txid, postApplyChecksum } = copy.position
  emit({ type: 'resumed', pos: { txid, postApplyChecksum } })
  return { copy, isForeign }
}

async function begin(
  context: OpenContext,
  plan: RestorePlan,
  folder: StateFolder,
  notes: NotesFile,
): Promise<LocalCopy> {
  const { replica, file, replace = false, emit, failpoint, exclusively } = context
  const started = context.now()
  const result = await makeFirstCopy(replica, plan, file, notes, { ...context, overwrite: replace })
  const copy = LocalCopy.open(file, folder, notes, { failpoint, exclusively })
  const { pos, commit, bytesRead } = result
  emit({ type: 'restored', pos, commit, bytes: bytesRead, milliseconds: context.now() - started })
  return copy
}

function wrongReplica(): FollowerError {
  return new FollowerError('wrong-replica', 'the copy is of another database than this replica', {
    hint: 'Follow into another file, or take this one over with --rebase.',
  })
}

function targetExists(file: string): FollowerError {
  return new FollowerError('target-exists', `${file} exists, and is no copy that follows`, {
    hint: 'Choose another path, or replace it with --force.',
  })
}
