import { formatChecksum, formatTXID } from '@sqlstream/ltx'
import { type AbortOptions, readProof } from '@sqlstream/replica'
import { type BlobStore, isStorageError } from '@sqlstream/storage'
import type { ProofJSON } from './schema-parts.ts'

/** Which state was restored and proven last; undefined when none ever was, or when the record may not be read. */
export async function lastProof(store: BlobStore, options: AbortOptions): Promise<ProofJSON | undefined> {
  try {
    const proof = await readProof(store, options)
    return (
      proof && {
        txid: formatTXID(proof.txid),
        postApplyChecksum: formatChecksum(proof.postApplyChecksum),
        timestamp: proof.timestamp.toISOString(),
        provenAt: proof.provenAt.toISOString(),
        by: proof.by,
      }
    )
  } catch (error) {
    if (isStorageError(error, 'permission-denied')) return undefined
    throw error
  }
}

/** The same in a line. */
export function proofText(proof: ProofJSON | undefined): string {
  return proof === undefined
    ? 'never restored as a drill: sqlstream verify --drill'
    : `restored and proven on ${proof.provenAt}: TXID ${proof.txid}, state of ${proof.timestamp}`
}
