import { isLTXError } from '@sqlstream/ltx'
import type { FailpointHook } from './failpoint.ts'
import type { CaptureState } from './state/capture-state.ts'
import { type DatabaseState, type Owed, PageBits, writeOwed } from './state/owed.ts'
import { readSpoolHeader, type SpoolFile } from './state/spool.ts'
import { spoolPages } from './state/spool-pages.ts'
import type { Uploader } from './upload.ts'
import type { Upload } from './upload-queue.ts'

/** What is given up, and how it is noted. */
export interface GiveUpContext {
  readonly captureState: CaptureState
  /** Where what is owed is noted. */
  readonly path: string
  readonly failpoint?: FailpointHook | undefined
}

/** What was given up. */
export interface GivenUp {
  /** Undefined when only a whole image can stand for it, and when it was nothing. */
  readonly owed: Owed | undefined
  readonly files: number
  readonly bytes: number
}

/**
 * Removes every captured file. Which pages they held is noted before, so that a comparison can stand for them; where the disk is too
 * full even for that note, files go first, and a crash in that moment costs a whole image.
 *
 * @param bases states that the replica may be in
 * @param before what is owed already, and of which the same bases hold
 */
export async function giveUpSpool(
  { captureState, path, failpoint }: GiveUpContext,
  bases: readonly DatabaseState[],
  before: Owed | undefined,
): Promise<GivenUp> {
  const { position, spool } = captureState
  const files = spool.list()
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  const pages = before?.pages.copy() ?? new PageBits()
  const isKnown = await addPages(pages, files)
  const nothing = files.length === 0 && before === undefined
  let owed: Owed | undefined
  if (!nothing && isKnown && position !== undefined && bases.length > 0) {
    const ends = [{ txid: position.txid, checksum: position.postApplyChecksum }]
    const since = before?.since ?? readSpoolHeader(files[0] as SpoolFile).timestamp
    owed = { bases, ends, pages, since }
  }
  const left = [...files]
  while (owed !== undefined) {
    try {
      writeOwed(path, owed, failpoint)
      break
    } catch {
      const newest = left.pop()
      // Then it is known here alone, as long as this process lives.
      if (newest === undefined) break
      spool.remove(newest)
    }
  }
  for (const file of left.reverse()) {
    spool.remove(file)
    failpoint?.('given-up:removed')
  }
  await captureState.forgetLogged()
  return { owed, files: files.length, bytes }
}

/** False when one of the files does not say which pages it holds. */
async function addPages(pages: PageBits, files: readonly SpoolFile[]): Promise<boolean> {
  for (const file of files) {
    try {
      pages.addAll(await spoolPages(file))
    } catch (error) {
      if (isLTXError(error) || (error as NodeJS.ErrnoException).code === 'ENOENT') return false
      throw error
    }
  }
  return true
}

/**
 * The states that the replica may be in, once uploads were abandoned: where it was, and what the one that was tried leads to, since it
 * may have arrived, or may yet. Empty when it has no state that anything of this could follow.
 *
 * @param dropped what waited, oldest first
 */
export function basesOf(
  { uploaded }: Pick<Uploader, 'uploaded'>,
  dropped: readonly Upload[],
  captured: DatabaseState | undefined,
  owed: Owed | undefined,
): DatabaseState[] {
  const [first] = dropped
  if (first?.kind === 'snapshot') {
    const { level, header } = first.snapshot
    const end = { txid: header.maxTXID, checksum: header.proof?.postApplyChecksum }
    const bases = level === 0 ? [...(owed?.bases ?? [])] : []
    return end.checksum === undefined ? bases : [...bases, { txid: end.txid, checksum: end.checksum }]
  }
  if (first === undefined)
    return captured !== undefined && captured.txid === uploaded ? [captured] : [...(owed?.bases ?? [])]
  try {
    const before = readSpoolHeader(first.files[0] as SpoolFile).proof
    const last = readSpoolHeader(first.files.at(-1) as SpoolFile)
    const bases: DatabaseState[] = []
    if (uploaded !== undefined && before) bases.push({ txid: uploaded, checksum: before.preApplyChecksum })
    if (last.proof) bases.push({ txid: last.maxTXID, checksum: last.proof.postApplyChecksum })
    return bases
  } catch {
    // A damaged file, or none: a whole image will do.
    return []
  }
}
