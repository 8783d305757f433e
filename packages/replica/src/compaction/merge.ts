import { isLTXError } from '@sqlstream/ltx'
import type { LTXFile } from '../catalog.ts'
import { corruptFile } from '../errors.ts'
import { decodeWhole } from '../inspect-file.ts'
import type { Replica } from '../replica.ts'
import type { ReplicaWriter } from '../writer.ts'
import { streamOf } from './input-list.ts'
import { type MergeRunOptions, mergeInputs } from './merge-inputs.ts'
import type { Merge } from './plan-compaction.ts'

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
  const body = { open: () => merged(replica, inputs, options), chunksStay: true }
  try {
    return await writer.put(level, range, body, { timestamp, signal, appends: false })
  } catch (error) {
    if (isLTXError(error)) await blame(replica, inputs, options)
    throw error
  }
}

async function* merged(
  replica: Replica,
  files: readonly LTXFile[],
  options: MergeRunOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const inputs = await mergeInputs(replica, files, options)
  // A restore's way to a state may begin inside a file, and so may a snapshot's.
  yield* inputs.merge({ signal: options.signal, overlapping: true, reuse: true })
}

/** Throws `corrupt` for the first input that is damaged by itself. */
async function blame(
  replica: Replica,
  inputs: readonly LTXFile[],
  { signal, local }: MergeRunOptions,
): Promise<void> {
  for (const file of inputs) {
    try {
      const bytes = local?.(file)
      await decodeWhole(file, bytes ? streamOf(bytes) : replica.open(file, { signal }), { signal })
    } catch (error) {
      throw isLTXError(error) ? corruptFile(file, error) : error
    }
  }
}
