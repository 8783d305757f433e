import {
  type ByteStream,
  type ChainProof,
  Decoder,
  formatChecksum,
  formatFilename,
  formatTXID,
  HEADER_FLAG_NO_CHECKSUM,
  type Header,
  isLTXError,
  type Trailer,
  type TXIDRange,
} from '@sqlstream/ltx'
import { ReplicaError } from '@sqlstream/replica'
import { FollowerError } from './errors.ts'
import type { Target } from './local-copy.ts'
import type { StagedPages } from './staged-pages.ts'

/** Which file, as its name tells. */
export interface NamedFile extends TXIDRange {
  readonly key: string
}

/**
 * Lays the pages of one file on top of what is staged. The whole file is read and its checksum compared, and, where it proves what it was made for
 * and what comes out of it, so is that.
 *
 * @param from the transaction that is staged so far
 * @throws ReplicaError `corrupt`; FollowerError `diverged`, `page-size-changed`; the store's errors. What is staged is of no use then
 */
export async function stageFile(
  staged: StagedPages,
  from: Target,
  file: NamedFile,
  body: ByteStream,
  signal: AbortSignal,
): Promise<Target> {
  try {
    const decoder = await Decoder.open(body, { signal })
    try {
      const { header } = decoder
      mustFit(header, file, staged)
      const before = staged.checksum
      staged.resize(header.commit)
      for await (const batch of decoder.batches()) staged.set(batch)
      const proof = proofOf(header, await decoder.finish())
      staged.fillHoles()
      if (proof) compare(staged, proof, file, { from, before })
      return { txid: file.maxTXID, timestamp: header.timestamp }
    } finally {
      await decoder.close()
    }
  } catch (error) {
    if (!isLTXError(error)) throw error
    throw new ReplicaError('corrupt', `${file.key}: ${error.message}`, { cause: error })
  }
}

function mustFit(header: Header, file: NamedFile, staged: StagedPages): void {
  if (header.minTXID !== file.minTXID || header.maxTXID !== file.maxTXID) {
    throw new ReplicaError('corrupt', `the header of ${file.key} is that of ${formatFilename(header)}`)
  }
  mustHavePageSize(header.pageSize, staged.pageSize)
  // By VACUUM a database may get smaller, but never lose its last page.
  if (header.commit === 0) throw new FollowerError('empty', `after ${file.key} the database has no page`)
}

/** Pages of another size cannot be laid over those of the copy. @throws FollowerError `page-size-changed` */
export function mustHavePageSize(pageSize: number, own: number): void {
  if (pageSize === own) return
  throw new FollowerError(
    'page-size-changed',
    `pages have ${pageSize} bytes now, those of the copy have ${own}`,
    {
      hint: 'Start anew with --force; readers must open the file again then.',
    },
  )
}

function compare(
  staged: StagedPages,
  proof: ChainProof,
  file: NamedFile,
  { from, before }: { readonly from: Target; readonly before: bigint },
): void {
  // A file that begins earlier repeats what is applied already: of the state before it nothing is known here.
  if (file.minTXID === from.txid + 1n && proof.preApplyChecksum !== before) {
    throw new FollowerError(
      'diverged',
      `${file.key} was made for a database with checksum ${formatChecksum(proof.preApplyChecksum)}, but TXID ${formatTXID(from.txid)} has ${formatChecksum(before as typeof proof.preApplyChecksum)} here`,
      { hint: DIVERGED_HINT },
    )
  }
  if (proof.postApplyChecksum === staged.checksum) return
  throw new FollowerError(
    'diverged',
    `the pages after ${file.key} would have checksum ${formatChecksum(staged.checksum)}, not ${formatChecksum(proof.postApplyChecksum)}`,
    { hint: DIVERGED_HINT },
  )
}

/** What to do about another history. */
export const DIVERGED_HINT =
  'Another history was written to this replica. To take it over, and lose what only this copy has, start with --rebase.'

function proofOf(header: Header, trailer: Trailer): ChainProof | undefined {
  if (header.proof) return header.proof
  if ((header.flags & HEADER_FLAG_NO_CHECKSUM) !== 0 || trailer.postApplyChecksum === 0n) return undefined
  return { preApplyChecksum: header.preApplyChecksum, postApplyChecksum: trailer.postApplyChecksum }
}
