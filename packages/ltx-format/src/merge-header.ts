import { type Checksum, formatChecksum } from './checksum.ts'
import { LTXError } from './errors.ts'
import { createHeader, type Header } from './header.ts'
import { isContiguous } from './txid.ts'

/** The result's header, once it is clear that the inputs belong together. */
export function mergeHeaders(headers: readonly Header[], overlapping: boolean): Header {
  const { pageSize, minTXID, proof: before } = headers[0]!
  // Of whoever wrote the newest of them.
  const { commit, maxTXID, timestamp, nodeId, proof: after } = headers.at(-1)!
  for (let i = 1; i < headers.length; i++) expectFollows(headers[i - 1]!, headers[i]!, overlapping)
  const proven = headers.every((header) => header.proof)
  const proof = proven ? { ...after!, preApplyChecksum: before!.preApplyChecksum } : undefined
  return createHeader({ pageSize, commit, minTXID, maxTXID, timestamp, nodeId, proof })
}

function expectFollows(previous: Header, next: Header, overlapping: boolean): void {
  if (next.pageSize !== previous.pageSize) {
    throw new LTXError('page-size-mismatch', `page size ${next.pageSize} after ${previous.pageSize}`)
  }
  if (!isContiguous(previous, next)) {
    const reaches = next.minTXID <= previous.maxTXID && next.maxTXID > previous.maxTXID
    // Its proof is of a state before the end of the one before it, which nothing here has the checksum of.
    if (overlapping && reaches) return
    throw new LTXError('non-contiguous', `TXID ${next.minTXID} follows ${previous.maxTXID}`)
  }
  const before = previous.proof?.postApplyChecksum
  const after = next.proof?.preApplyChecksum
  // No checksum is 0.
  if (before && after && before !== after) {
    throw notMeeting(previous, before, next, after)
  }
}

/** The error for two neighbours whose checksums differ where they should meet. */
export function notMeeting(previous: Header, before: Checksum, next: Header, after: Checksum): LTXError {
  const text = `TXID ${previous.maxTXID} ends at checksum ${formatChecksum(before)}, ${next.minTXID} starts at ${formatChecksum(after)}`
  return new LTXError('checksum-mismatch', text, { hint: 'the files are from different histories' })
}
