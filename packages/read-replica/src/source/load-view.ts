import { type Checksum, type Header, isLTXError, type PageSize, type TXID } from '@sqlstream/ltx'
import {
  type AbortOptions,
  type Catalog,
  filesOf,
  type LoadedFile,
  type LoadOptions,
  type LTXFile,
  loadFile,
  planFromCatalog,
  type Replica,
  ReplicaError,
  type RestorePlan,
  type RestoreTarget,
  SNAPSHOT_LEVEL,
} from '@sqlstream/replica'
import { isStorageError, Slots } from '@sqlstream/storage'
import type { ViewFile, ViewUpdate } from '../view/view-update.ts'
import type { KnownFiles } from './known-files.ts'

/** Page indexes that are read at a time. */
const PARALLEL_INDEXES = 32
/** Read with the header of a large file: page 1 and its neighbours, which every query begins with. */
export const HEAD_BYTES: number = 16 * 1024
/** How often a plan is made anew because a file of it was removed meanwhile. */
const MOST_REPLANS = 5

/** What of a view stays on this side. */
export interface ViewRecord {
  readonly txid: TXID
  readonly time: number
  readonly pageSize: PageSize
  /** The snapshot that it is built on. */
  readonly base: {
    readonly number: number
    readonly key: string
    readonly size: number
    readonly commit: number
  }
  /** Keys of all files that it may take pages from. */
  readonly keys: ReadonlySet<string>
  /** Checksum of the whole database, where the newest file tells it. */
  readonly checksum: Checksum | undefined
}

/** A view that was loaded: what to hand over, and what to keep. */
export interface LoadedView {
  readonly update: ViewUpdate
  readonly record: ViewRecord
}

/** How a view is loaded. */
export interface LoadViewOptions extends AbortOptions {
  /** A view whose snapshot is at hand: its index is not read again. */
  readonly held?: ViewRecord | undefined
}

/**
 * Plans a state and reads where its pages are: a listing, a request for each file, and one for the header of each that is too large to be read whole and is no
 * snapshot. A file that is removed meanwhile is planned around.
 *
 * Throws as `planRestore`; ReplicaError `corrupt` or `diverged`; the store's errors.
 */
export async function loadView(
  replica: Replica,
  files: KnownFiles,
  target: RestoreTarget,
  options: LoadViewOptions = {},
): Promise<LoadedView> {
  let wanted = target
  for (let replans = 0; ; replans++) {
    const { plan, teller } = await planView(replica, wanted, options)
    // An instant was chosen once: planned anew, it is the same state.
    wanted = target.kind === 'timestamp' ? { kind: 'txid', txid: plan.txid } : target
    try {
      const [loaded, time] = await Promise.all([
        loadPlan(replica, files, plan, options),
        teller && replica.header(teller, options),
      ])
      return time ? withTime(loaded, time.timestamp) : loaded
    } catch (error) {
      if (!isStorageError(error, 'not-found') || replans === MOST_REPLANS) throw error
    }
  }
}

/** A plan, and the file that tells the time of its state, where no file of the plan does. */
interface PlannedView {
  readonly plan: RestorePlan
  readonly teller: LTXFile | undefined
}

async function planView(
  replica: Replica,
  target: RestoreTarget,
  options: AbortOptions,
): Promise<PlannedView> {
  const { plan, catalog } = await planFromCatalog(replica, replica.catalog(options), target, options)
  return { plan, teller: plan.timestamp ? undefined : tellerOf(catalog, plan) }
}

/** A snapshot may carry the time at which it was made: another file that ends with the same state knows better. */
function tellerOf(catalog: Catalog, { files, txid }: RestorePlan): LTXFile | undefined {
  if (files[files.length - 1]?.level !== SNAPSHOT_LEVEL) return undefined
  return filesOf(catalog).find((file) => file.maxTXID === txid && file.level !== SNAPSHOT_LEVEL)
}

function withTime({ update, record }: LoadedView, time: number): LoadedView {
  return { update: { ...update, state: { ...update.state, time } }, record: { ...record, time } }
}

async function loadPlan(
  replica: Replica,
  files: KnownFiles,
  plan: RestorePlan,
  { held, signal }: LoadViewOptions,
): Promise<LoadedView> {
  const [first, ...rest] = plan.files as [LTXFile, ...LTXFile[]]
  const newest = plan.files[plan.files.length - 1]
  const isHeld = held?.base.key === first.key && held.base.size === first.size && newest !== first
  const slots = new Slots(PARALLEL_INDEXES)
  const load = (file: LTXFile): Promise<LoadedFile> =>
    // A snapshot ends with its last page, and has the page size of the files on top of it.
    slots.run(
      () =>
        loadChecked(replica, file, {
          withHeader: file !== first || file === newest,
          headBytes: HEAD_BYTES,
          signal,
        }),
      {
        signal,
      },
    )
  const loaded = await Promise.all((isHeld ? rest : plan.files).map(load))
  const top = (loaded[loaded.length - 1] as LoadedFile).header as Header
  checkChain(loaded)
  const parts = loaded.map((each) => viewFile(files, each))
  const base = isHeld && held ? held.base : baseOf(first, parts[0] as ViewFile)
  const time = plan.timestamp?.getTime() ?? top.timestamp
  const state = { txid: plan.txid, time, pageSize: top.pageSize, commit: top.commit }
  return {
    update: { state, from: isHeld ? base.number : 'files', files: parts },
    record: {
      ...state,
      base,
      keys: new Set(plan.files.map(({ key }) => key)),
      checksum: top.proof?.postApplyChecksum,
    },
  }
}

function baseOf(file: LTXFile, { number, commit }: ViewFile): ViewRecord['base'] {
  return { number, commit, key: file.key, size: file.size }
}

/** Reads where the pages of a file are. Throws ReplicaError `corrupt`, the store's errors. */
export async function loadChecked(
  replica: Replica,
  file: LTXFile,
  options: LoadOptions,
): Promise<LoadedFile> {
  try {
    return await loadFile(replica, file, options)
  } catch (error) {
    if (!isLTXError(error)) throw error
    throw new ReplicaError('corrupt', `${file.key}: ${error.message}`, { cause: error, file })
  }
}

/** What goes to the thread that reads. */
export function viewFile(files: KnownFiles, { file, header, index, bytes, head }: LoadedFile): ViewFile {
  const { pgnos, offsets, sizes, count } = index
  // Only a snapshot comes without its header.
  const commit = header?.commit ?? (pgnos[count - 1] as number | undefined) ?? 0
  // The bytes are handed over to another thread with their memory: it must be theirs alone.
  return {
    number: files.numberOf(file),
    commit,
    pgnos,
    offsets,
    sizes,
    bytes: (bytes ?? head)?.slice(),
    address: files.addressOf(file),
  }
}

/** Files that say what they apply to must meet. Throws ReplicaError `diverged`, `corrupt`. */
export function checkChain(loaded: readonly LoadedFile[], from?: ViewRecord): void {
  let { txid, checksum, pageSize } = { txid: from?.txid, checksum: from?.checksum, pageSize: from?.pageSize }
  for (const { file, header } of loaded) {
    const before = header?.proof?.preApplyChecksum
    const follows = txid !== undefined && file.minTXID === txid + 1n
    if (follows && before !== undefined && checksum !== undefined && before !== checksum) {
      throw new ReplicaError('diverged', `${file.key} belongs to another history than the files before it`, {
        file,
      })
    }
    if (header && pageSize !== undefined && header.pageSize !== pageSize) {
      throw new ReplicaError(
        'corrupt',
        `${file.key} has pages of ${header.pageSize} bytes, not ${pageSize}`,
        { file },
      )
    }
    txid = file.maxTXID
    checksum = header?.proof?.postApplyChecksum
    pageSize = header?.pageSize ?? pageSize
  }
}
