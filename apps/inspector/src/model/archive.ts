import { type UnzipFileInfo, unzipSync, Zip, ZipPassThrough } from 'fflate'
import { InspectorError } from '../inspector-error.ts'

/** More than this would not fit into memory twice, bytes. */
const MOST_BYTES = 1_500_000_000

/** A file of an archive. */
export interface ArchivedFile {
  readonly path: string
  readonly bytes: Uint8Array<ArrayBuffer>
}

/** The `.ltx` files of a zip. @throws InspectorError `bad-archive`, `too-large` */
export function readArchive(bytes: Uint8Array): ArchivedFile[] {
  let total = 0
  const isWanted = ({ name, originalSize }: UnzipFileInfo): boolean => {
    if (!name.endsWith('.ltx')) return false
    total += originalSize
    if (total > MOST_BYTES) {
      throw new InspectorError(
        'too-large',
        'the archive holds more than 1.5 GB',
        'Unpack it, and use sqlstream inspect <folder>.',
      )
    }
    return true
  }
  try {
    const files = unzipSync(bytes, { filter: isWanted })
    return Object.entries(files).map(([path, each]) => ({ path, bytes: each as Uint8Array<ArrayBuffer> }))
  } catch (error) {
    if (error instanceof InspectorError) throw error
    throw new InspectorError('bad-archive', `the archive cannot be read: ${(error as Error).message}`)
  }
}

/** What goes into an archive. */
export interface ArchiveEntry {
  readonly path: string
  readonly modified: Date
  open(): AsyncIterable<Uint8Array>
}

/** Writes a zip chunk by chunk. Files are stored: pages of LTX are compressed already. */
export async function writeArchive(
  entries: readonly ArchiveEntry[],
  write: (chunk: Uint8Array<ArrayBuffer>) => void,
): Promise<void> {
  let failure: Error | undefined
  const zip = new Zip((error, chunk) => {
    if (error) failure = error
    // The memory of a chunk may be used again.
    else write(chunk.slice())
  })
  for (const { path, modified, open } of entries) {
    const file = new ZipPassThrough(path)
    file.mtime = modified
    zip.add(file)
    for await (const chunk of open()) file.push(chunk)
    file.push(new Uint8Array(0), true)
    if (failure) throw failure
  }
  zip.end()
  if (failure) throw failure
}
