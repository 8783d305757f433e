import { type ChainProof, HEADER_FLAG_NO_CHECKSUM, type Header, type Trailer } from '@sqlstream/ltx'

/**
 * What a file proves about the database before and after it: our marker in the header, or the checksums of an LTX file
 * with tracking on. Undefined for files that prove nothing, as Litestream writes them.
 */
export function proofOf(header: Header, trailer: Pick<Trailer, 'postApplyChecksum'>): ChainProof | undefined {
  if (header.proof) return header.proof
  if ((header.flags & HEADER_FLAG_NO_CHECKSUM) !== 0 || trailer.postApplyChecksum === 0n) return undefined
  return { preApplyChecksum: header.preApplyChecksum, postApplyChecksum: trailer.postApplyChecksum }
}
