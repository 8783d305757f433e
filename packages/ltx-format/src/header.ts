import { viewOf } from './big-endian.ts'
import { CHECKSUM_FLAG, type Checksum, isFlagged } from './checksum.ts'
import { LTXError } from './errors.ts'
import { isPageSize, notPageSize, type PageSize } from './page-size.ts'
import { isSnapshot, type TXID, type TXIDRange } from './txid.ts'

/** Bytes before the first page. */
export const HEADER_SIZE = 100
/** Bit 1 of the header flags: the file tracks no database checksums, its apply-checksums are 0. Litestream always sets it. */
export const HEADER_FLAG_NO_CHECKSUM = 2

const MAGIC = 0x4c545831 // LTX1
const PROOF_MAGIC = 0x53515331 // SQS1
/** Where the chain proof lies. */
export const PROOF_OFFSET = 80

/**
 * Rolling database checksums before and after the file is applied, in the reserved header bytes 80..99 (FORMAT.md H8). They join
 * files into a chain that can be proven from headers alone, in files that Litestream reads. A snapshot's preApplyChecksum is
 * that of an empty database: CHECKSUM_FLAG (0n is accepted too).
 */
export interface ChainProof {
  readonly preApplyChecksum: Checksum
  readonly postApplyChecksum: Checksum
}

/** The first 100 bytes of a file. */
export interface Header extends TXIDRange {
  /** 0 or HEADER_FLAG_NO_CHECKSUM. */
  readonly flags: number
  readonly pageSize: PageSize
  /** Database size after this file is applied, in pages: 0..2^32-1. */
  readonly commit: number
  /** Milliseconds since the Unix epoch. */
  readonly timestamp: number
  /** 0n for snapshots and when checksums are not tracked. */
  readonly preApplyChecksum: Checksum
  /** Where in the WAL the pages came from, in bytes; 0 when unknown. */
  readonly walOffset: number
  readonly walSize: number
  readonly walSalt1: number
  readonly walSalt2: number
  /** uint64; sqlstream puts the writer's epoch here. */
  readonly nodeId: bigint
  readonly proof?: ChainProof | undefined
}

/** What a header cannot do without; everything else has a default. */
export type HeaderInit = Partial<Header> &
  Pick<Header, 'pageSize' | 'commit' | 'minTXID' | 'maxTXID' | 'timestamp'>

/** A header with what Litestream writes as defaults: checksums not tracked, WAL position and node id 0. */
export function createHeader(init: HeaderInit): Header {
  return {
    flags: HEADER_FLAG_NO_CHECKSUM,
    preApplyChecksum: 0n as Checksum,
    walOffset: 0,
    walSize: 0,
    walSalt1: 0,
    walSalt2: 0,
    nodeId: 0n,
    ...init,
  }
}

/** True if the file carries database checksums in LTX's own fields. */
export function tracksChecksums(header: Header): boolean {
  return (header.flags & HEADER_FLAG_NO_CHECKSUM) === 0
}

/** The 100 header bytes. Throws RangeError if a field is out of its range or contradicts another. */
export function encodeHeader(header: Header): Uint8Array {
  const problem = findRangeProblem(header) ?? findProblem(header)
  if (problem !== undefined) throw new RangeError(`header: ${problem}`)
  const bytes = new Uint8Array(HEADER_SIZE)
  const view = viewOf(bytes)
  view.setUint32(0, MAGIC)
  view.setUint32(4, header.flags)
  view.setUint32(8, header.pageSize)
  view.setUint32(12, header.commit)
  view.setBigUint64(16, header.minTXID)
  view.setBigUint64(24, header.maxTXID)
  view.setBigInt64(32, BigInt(header.timestamp))
  view.setBigUint64(40, header.preApplyChecksum)
  view.setBigInt64(48, BigInt(header.walOffset))
  view.setBigInt64(56, BigInt(header.walSize))
  view.setUint32(64, header.walSalt1)
  view.setUint32(68, header.walSalt2)
  view.setBigUint64(72, header.nodeId)
  if (header.proof) {
    view.setUint32(PROOF_OFFSET, PROOF_MAGIC)
    view.setBigUint64(PROOF_OFFSET + 4, header.proof.preApplyChecksum)
    view.setBigUint64(PROOF_OFFSET + 12, header.proof.postApplyChecksum)
  }
  return bytes
}

/**
 * Reads the first 100 bytes of `bytes`. Throws LTXError 'truncated', 'bad-magic' or 'bad-header'. A proof that is absent or
 * malformed leaves `proof` undefined: the file is then unproven, not corrupt.
 */
export function decodeHeader(bytes: Uint8Array): Header {
  if (bytes.byteLength < HEADER_SIZE) {
    throw new LTXError('truncated', `header has ${bytes.byteLength} of ${HEADER_SIZE} bytes`, { offset: 0 })
  }
  const view = viewOf(bytes)
  if (view.getUint32(0) !== MAGIC) throw new LTXError('bad-magic', 'not an LTX file', { offset: 0 })
  const pageSize = view.getUint32(8)
  if (!isPageSize(pageSize)) throw badHeader(notPageSize(pageSize), 8)
  const fields: Header = {
    flags: view.getUint32(4),
    pageSize,
    commit: view.getUint32(12),
    minTXID: view.getBigUint64(16) as TXID,
    maxTXID: view.getBigUint64(24) as TXID,
    timestamp: readInt64(view, 32, 'timestamp'),
    preApplyChecksum: view.getBigUint64(40) as Checksum,
    walOffset: readInt64(view, 48, 'WAL offset'),
    walSize: readInt64(view, 56, 'WAL size'),
    walSalt1: view.getUint32(64),
    walSalt2: view.getUint32(68),
    nodeId: view.getBigUint64(72),
  }
  const problem = findProblem(fields)
  if (problem !== undefined) throw badHeader(problem, 0)
  const proof = readProof(view, fields)
  return proof ? { ...fields, proof } : fields
}

function badHeader(message: string, offset: number): LTXError {
  return new LTXError('bad-header', message, { offset })
}

function readInt64(view: DataView, at: number, what: string): number {
  const value = view.getBigInt64(at)
  const narrow = Number(value)
  if (!Number.isSafeInteger(narrow)) throw badHeader(`${what} ${value} exceeds 2^53`, at)
  return narrow
}

function readProof(view: DataView, range: TXIDRange): ChainProof | undefined {
  if (view.getUint32(PROOF_OFFSET) !== PROOF_MAGIC) return undefined
  const proof: ChainProof = {
    preApplyChecksum: view.getBigUint64(PROOF_OFFSET + 4) as Checksum,
    postApplyChecksum: view.getBigUint64(PROOF_OFFSET + 12) as Checksum,
  }
  return isWellFormed(proof, range) ? proof : undefined
}

function isWellFormed(proof: ChainProof, range: TXIDRange): boolean {
  const { preApplyChecksum: pre, postApplyChecksum: post } = proof
  // A snapshot starts from nothing: any other checksum before it would claim a state that it does not depend on.
  return isFlagged(post) && (isSnapshot(range) ? pre === 0n || pre === CHECKSUM_FLAG : isFlagged(pre))
}

/** Rules between fields that hold for every header, read or written (FORMAT.md H3..H7). */
function findProblem(h: Header): string | undefined {
  if ((h.flags & ~HEADER_FLAG_NO_CHECKSUM) !== 0) return `unknown flags 0x${h.flags.toString(16)}`
  if (h.minTXID < 1n) return 'minimum TXID is 0'
  if (h.minTXID > h.maxTXID) return `TXIDs are out of order: ${h.minTXID} to ${h.maxTXID}`
  if (h.walOffset < 0 || h.walSize < 0) return 'WAL offset or size is negative'
  if (h.walOffset === 0 && (h.walSize !== 0 || h.walSalt1 !== 0 || h.walSalt2 !== 0)) {
    return 'WAL size or salt without a WAL offset'
  }
  if (isSnapshot(h) || !tracksChecksums(h)) {
    return h.preApplyChecksum === 0n ? undefined : 'pre-apply checksum in a file that cannot have one'
  }
  return isFlagged(h.preApplyChecksum) ? undefined : 'pre-apply checksum lacks its flag bit'
}

/** Ranges that reading cannot leave, but a caller's object can. */
function findRangeProblem(h: Header): string | undefined {
  for (const field of ['flags', 'commit', 'walSalt1', 'walSalt2'] as const) {
    if (!Number.isInteger(h[field]) || h[field] < 0 || h[field] > 0xffff_ffff)
      return `${field} ${h[field]} is no uint32`
  }
  for (const field of ['timestamp', 'walOffset', 'walSize'] as const) {
    if (!Number.isSafeInteger(h[field])) return `${field} ${h[field]} is no safe integer`
  }
  for (const field of ['minTXID', 'maxTXID', 'preApplyChecksum', 'nodeId'] as const) {
    if (BigInt.asUintN(64, h[field]) !== h[field]) return `${field} ${h[field]} is no uint64`
  }
  if (!isPageSize(h.pageSize)) return notPageSize(h.pageSize)
  if (h.proof && !isWellFormed(h.proof, h)) return 'malformed chain proof'
  return undefined
}
