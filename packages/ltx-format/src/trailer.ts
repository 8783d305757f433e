import { viewOf } from './big-endian.ts'
import { type Checksum, isFlagged } from './checksum.ts'
import { LTXError } from './errors.ts'
import { type Header, tracksChecksums } from './header.ts'

/** Bytes after the page index. */
export const TRAILER_SIZE = 16

/** The last 16 bytes of a file. */
export interface Trailer {
  /** Database checksum after the file is applied; 0n when checksums are not tracked. */
  readonly postApplyChecksum: Checksum
  /** Over every byte before it, with page data as it is before compression. */
  readonly fileChecksum: Checksum
}

/** Reads the 16 bytes that end a file with this header. Throws LTXError 'truncated' or 'bad-trailer'. */
export function decodeTrailer(bytes: Uint8Array, header: Header, offset: number): Trailer {
  if (bytes.byteLength < TRAILER_SIZE) throw new LTXError('truncated', 'trailer is cut off', { offset })
  const view = viewOf(bytes)
  const trailer: Trailer = {
    postApplyChecksum: view.getBigUint64(0) as Checksum,
    fileChecksum: view.getBigUint64(8) as Checksum,
  }
  const problem = findPostApplyProblem(header, trailer.postApplyChecksum)
  if (problem !== undefined) throw new LTXError('bad-trailer', problem, { offset })
  if (!isFlagged(trailer.fileChecksum)) {
    throw new LTXError('bad-trailer', 'file checksum lacks its flag bit', { offset: offset + 8 })
  }
  return trailer
}

/** Why a post-apply checksum does not go with a header (FORMAT.md T2), or undefined. */
export function findPostApplyProblem(header: Header, postApplyChecksum: Checksum): string | undefined {
  if (!tracksChecksums(header)) {
    return postApplyChecksum === 0n ? undefined : 'post-apply checksum in a file that tracks none'
  }
  return isFlagged(postApplyChecksum) ? undefined : 'post-apply checksum lacks its flag bit'
}
