import { getBytes } from '@sqlstream/storage'
import type { LTXFile } from '../catalog.ts'
import { inOrder } from '../in-order.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import { REQUEST_BYTES } from '../request-cost.ts'
import { InputList } from './input-list.ts'

/** Small files are fetched as a whole, so many side by side, so that a merge of many does not wait for each. */
const PARALLEL_FETCHES = 32
/** Bytes of small files that a merge holds. What is over is read as large files are: a window of each. */
const HELD_MEMORY = 64 * 1024 * 1024

/** Options of `runMerge`. */
export interface MergeRunOptions extends AbortOptions {
  /** The bytes of a file that are at hand, as after its upload: then the store is not asked for it. */
  readonly local?: ((file: LTXFile) => Uint8Array | undefined) | undefined
}

/**
 * The files of a merge: small ones are fetched as a whole, large ones are streams (see {@link InputList}).
 *
 * Throws the store's errors, of small files; the signal's reason.
 */
export async function mergeInputs(
  replica: Replica,
  files: readonly LTXFile[],
  { signal, local }: MergeRunOptions,
): Promise<InputList> {
  const inputs = new InputList()
  const room = (size: number): Uint8Array => inputs.room(size)
  const small = smallFiles(files)
  const atHand = new Map<LTXFile, Uint8Array>()
  for (const file of small) {
    const bytes = local?.(file)
    if (bytes !== undefined) atHand.set(file, bytes)
  }
  const missing = [...small].filter((file) => !atHand.has(file))
  const fetching = inOrder(missing, PARALLEL_FETCHES, (file) =>
    getBytes(replica.store, file.key, { signal, room }),
  )
  for (const file of files) {
    if (small.has(file)) inputs.addBytes(atHand.get(file) ?? (await fetching.next()).value!)
    else inputs.addStream(replica.open(file, { signal }))
  }
  return inputs
}

function smallFiles(files: readonly LTXFile[]): Set<LTXFile> {
  const small = new Set<LTXFile>()
  let bytes = 0
  for (const file of files) {
    if (file.size > REQUEST_BYTES || bytes + file.size > HELD_MEMORY) continue
    bytes += file.size
    small.add(file)
  }
  return small
}
