import type { ByteStream, MergeGroup, PageKernel } from '@sqlstream/ltx'
import { SmallFiles } from '@sqlstream/ltx/small-files'
import { getBytes } from '@sqlstream/storage'
import type { LTXFile } from '../catalog.ts'
import { inOrder } from '../in-order.ts'
import type { AbortOptions, Replica } from '../replica.ts'
import { REQUEST_BYTES } from '../request-cost.ts'

/** Small files are fetched as a whole, so many side by side, so that a merge of many does not wait for each. */
const PARALLEL_FETCHES = 32
/** Bytes of small files that a merge holds. What is over is read as large files are: a window of each. */
const HELD_MEMORY = 64 * 1024 * 1024

/** Of the last merge, for the next one: half a MiB, which takes as long to make as several small files to read. */
let spareKernel: PageKernel | undefined

/** Options of `runMerge`. */
export interface MergeRunOptions extends AbortOptions {
  /** The bytes of a file that are at hand, as after its upload: then the store is not asked for it. */
  readonly local?: ((file: LTXFile) => Uint8Array | undefined) | undefined
}

/**
 * What `mergeFiles` takes for the files of a merge. Small ones are here and verified; those that lie side by side are one input. Large
 * ones, and those that are not as they should be, are streams, of which `mergeFiles` tells what is wrong.
 *
 * Throws the store's errors, of small files; the signal's reason.
 */
export async function mergeInputs(
  replica: Replica,
  files: readonly LTXFile[],
  { signal, local }: MergeRunOptions,
): Promise<(ByteStream | MergeGroup)[]> {
  const inputs: (ByteStream | MergeGroup)[] = []
  let group = new SmallFiles(spareKernel)
  spareKernel = undefined
  const small = smallFiles(files)
  const fetching = inOrder([...small], PARALLEL_FETCHES, async (file) => {
    return local?.(file) ?? (await getBytes(replica.store, file.key, { signal }))
  })
  for (const file of files) {
    const bytes = small.has(file) ? (await fetching.next()).value! : undefined
    if (bytes && group.add(bytes)) {
      if (group.files.length === 1) inputs.push(group)
      continue
    }
    // What comes next is newer than this one.
    if (group.files.length > 0) group = new SmallFiles(group.kernel)
    inputs.push(streamOf(replica, file, bytes, signal))
  }
  spareKernel = group.kernel
  return inputs
}

/** A stream of a file that is here, or of one that the store has. */
export function streamOf(
  replica: Replica,
  file: LTXFile,
  bytes: Uint8Array | undefined,
  signal: AbortSignal | undefined,
): ByteStream {
  return bytes ? once(bytes) : replica.open(file, { signal })
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

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array, void, undefined> {
  yield bytes
}
