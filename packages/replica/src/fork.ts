import { type Catalog, filesOf, type LTXFile } from './catalog.ts'
import { ReplicaError } from './errors.ts'
import { inOrder } from './in-order.ts'
import type { RestorePlan } from './plan-restore.ts'
import type { AbortOptions, Replica } from './replica.ts'
import type { ReplicaWriter } from './writer.ts'

/** Requests that run at a time. */
const PARALLEL_COPIES = 4

/** Options of `forkReplica`. */
export interface ForkOptions extends AbortOptions {
  /** Random: the fork is another database than the one that it was made from. */
  readonly databaseId: string
  /** Called after each file, with bytes so far. Must not throw. */
  readonly onCopied?: ((bytes: number, totalBytes: number) => void) | undefined
}

/** What a fork holds. */
export interface ForkResult {
  readonly files: readonly LTXFile[]
  readonly bytes: number
  /** Of these bytes, those that the store copied by itself: they did not come through here. */
  readonly bytesCopiedByStore: number
}

/**
 * Makes a replica that begins with a state of another one: the files of a plan, byte for byte, under their own names and levels, so the TXIDs go on
 * from there. The store copies them by itself where it can; else they are read and put. The base comes last: until then nothing can be restored from the new place, least of all an older state. Stopped at any point it
 * goes on the next time.
 *
 * @throws ReplicaError `sink-exists` when something else is there; `fenced`; the stores' errors
 */
export async function forkReplica(
  source: Replica,
  plan: RestorePlan,
  target: Replica,
  writer: ReplicaWriter,
  options: ForkOptions,
): Promise<ForkResult> {
  const { signal, databaseId, onCopied } = options
  const [base, ...steps] = plan.files as [LTXFile, ...LTXFile[]]
  mustBeOurs(await target.catalog({ signal }), plan)
  const { pageSize } = await source.header(base, { signal })
  await writer.createIdentity({ databaseId, pageSize, created: new Date().toISOString() }, { signal })
  const totalBytes = plan.files.reduce((sum, { size }) => sum + size, 0)
  const files: LTXFile[] = []
  let bytes = 0
  let bytesCopiedByStore = 0
  for (const list of [steps, [base]]) {
    for await (const { file, byStore } of inOrder(list, PARALLEL_COPIES, (file) =>
      copy(source, writer, file, signal),
    )) {
      files.push(file)
      bytes += file.size
      if (byStore) bytesCopiedByStore += file.size
      onCopied?.(bytes, totalBytes)
    }
  }
  return { files, bytes, bytesCopiedByStore }
}

/**
 * Whether a fork may be made there: nothing is, or what an earlier try of the same fork has left.
 * @throws ReplicaError `sink-exists`
 */
function mustBeOurs(there: Catalog, plan: RestorePlan): void {
  const ours = new Map(plan.files.map((file) => [nameOf(file), file.size]))
  const foreign = filesOf(there).find((file) => ours.get(nameOf(file)) !== file.size)
  if (foreign === undefined) return
  throw new ReplicaError('sink-exists', `a replica is there already, with ${foreign.key}`, {
    hint: 'Fork to a place where nothing is.',
    file: foreign,
  })
}

function nameOf({ level, minTXID, maxTXID }: LTXFile): string {
  return `${level} ${minTXID} ${maxTXID}`
}

async function copy(
  source: Replica,
  writer: ReplicaWriter,
  file: LTXFile,
  signal: AbortSignal | undefined,
): Promise<{ readonly file: LTXFile; readonly byStore: boolean }> {
  const timestamp = file.timestamp ?? new Date((await source.header(file, { signal })).timestamp)
  let byStore = true
  const body = {
    size: file.size,
    open: () => {
      byStore = false
      return source.open(file, { signal })
    },
  }
  const copyOf = { store: source.store, key: file.key }
  const copied = await writer.put(file.level, file, body, { timestamp, signal, copyOf })
  return { file: copied, byStore }
}
