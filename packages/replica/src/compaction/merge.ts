import { type ByteStream, isLTXError, mergeFiles } from '@sqlstream/ltx'
import { type BlobStream, getBytes, Slots } from '@sqlstream/storage'
import type { LTXFile } from '../catalog.ts'
import { corruptFile } from '../errors.ts'
import { decodeWhole } from '../inspect-file.ts'
import { whenFetched } from '../open-object.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import { REQUEST_BYTES } from '../request-cost.ts'
import type { ReplicaWriter } from '../writer.ts'
import type { Merge } from './plan-compaction.ts'

/** Small files are fetched whole, so many side by side, so that a merge of many does not wait for each. */
const PARALLEL_FETCHES = 16

/** Options of `runMerge`. */
export interface MergeRunOptions extends AbortOptions {
  /** A file that is at hand, as in a spool: then the store is not asked for it. */
  readonly local?: ((file: LTXFile) => ByteStream | undefined) | undefined
}

/**
 * Puts the merge of some files into the replica, streaming: frames are copied as they are, memory is some MiB and 9 bytes a page.
 * The object appears only after every input's checksum and every chain proof was right, and with all pages that it must
 * have. One that is there already with these bytes (an earlier try) is success.
 *
 * Throws ReplicaError `corrupt` naming the input that is damaged, LTXError when inputs do not belong together, ReplicaError
 * `fenced`, the store's errors: `not-found` when an input is gone.
 */
export async function runMerge(
  replica: Replica,
  writer: ReplicaWriter,
  { level, inputs }: Merge,
  options: MergeRunOptions = {},
): Promise<LTXFile> {
  const { signal } = options
  const first = inputs[0] as LTXFile
  const last = inputs.at(-1) as LTXFile
  const timestamp = last.timestamp ?? new Date((await replica.header(last, { signal })).timestamp)
  const range = { minTXID: first.minTXID, maxTXID: last.maxTXID }
  const body = { open: () => merged(replica, inputs, options) }
  try {
    return await writer.put(level, range, body, { timestamp, signal, appends: false })
  } catch (error) {
    if (isLTXError(error)) await blame(replica, inputs, options)
    throw error
  }
}

function merged(replica: Replica, inputs: readonly LTXFile[], options: MergeRunOptions): BlobStream {
  const { signal, local } = options
  const slots = new Slots(PARALLEL_FETCHES)
  return mergeFiles(
    inputs.map((file) => local?.(file) ?? input(replica, file, slots, signal)),
    // A restore's way to a state may begin inside a file, and so may a snapshot's.
    { signal, overlapping: true },
  )
}

function input(replica: Replica, file: LTXFile, slots: Slots, signal: AbortSignal | undefined): ByteStream {
  if (file.size > REQUEST_BYTES) return replica.open(file, { signal })
  const fetching = slots.run(() => getBytes(replica.store, file.key, { signal }), { signal })
  // Told when its turn comes.
  fetching.catch(() => undefined)
  return whenFetched(fetching)
}

/** Throws `corrupt` for the first input that is damaged by itself. */
async function blame(
  replica: Replica,
  inputs: readonly LTXFile[],
  { signal, local }: MergeRunOptions,
): Promise<void> {
  for (const file of inputs) {
    try {
      await decodeWhole(file, local?.(file) ?? replica.open(file, { signal }), { signal })
    } catch (error) {
      throw isLTXError(error) ? corruptFile(file, error) : error
    }
  }
}
