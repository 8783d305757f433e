import { formatChecksum, formatTXID, HEADER_FLAG_NO_CHECKSUM, type Header } from '@sqlstream/ltx'
import { formatBytes, formatTime, hex64 } from './units.ts'

/** A fact about a file, and what it means. */
export interface Fact {
  readonly name: string
  readonly value: string
  readonly meaning: string
}

/** The header of an LTX file for people. */
export function headerFacts(header: Header): Fact[] {
  const { proof, commit, pageSize } = header
  const fact = (name: string, value: string, meaning: string): Fact => ({ name, value, meaning })
  const isSnapshot = header.minTXID === 1n
  return [
    fact(
      'Transactions',
      `${formatTXID(header.minTXID)} – ${formatTXID(header.maxTXID)}`,
      isSnapshot
        ? `a snapshot: the whole database after transaction ${header.maxTXID}`
        : `applies to the state after transaction ${header.minTXID - 1n}`,
    ),
    fact('Time', `${formatTime(header.timestamp)} UTC`, 'of the last commit, by the clock of the writer'),
    fact(
      'Database',
      `${commit.toLocaleString('en')} pages`,
      `of ${pageSize} bytes after it: ${formatBytes(commit * pageSize)}`,
    ),
    fact(
      'Proof before',
      proof ? formatChecksum(proof.preApplyChecksum) : 'none',
      !proof
        ? 'unproven: as Litestream writes it'
        : isSnapshot
          ? 'a snapshot begins with nothing'
          : 'checksum of the database that it applies to',
    ),
    fact(
      'Proof after',
      proof ? formatChecksum(proof.postApplyChecksum) : 'none',
      'checksum of the database that it results in',
    ),
    fact(
      'Epoch',
      header.nodeId === 0n ? 'none' : String(header.nodeId),
      'of the writer; it grows with each change of the writer',
    ),
    fact(
      'WAL',
      header.walOffset === 0 ? 'none' : `${header.walOffset} + ${header.walSize.toLocaleString('en')} bytes`,
      header.walOffset === 0
        ? 'not from a write-ahead log'
        : `salts ${hex32(header.walSalt1)} ${hex32(header.walSalt2)}`,
    ),
    fact(
      'Flags',
      `0x${header.flags.toString(16)}`,
      (header.flags & HEADER_FLAG_NO_CHECKSUM) !== 0
        ? 'LTX’s own checksums of the database are off'
        : `LTX’s own checksum before it: ${hex64(header.preApplyChecksum)}`,
    ),
  ]
}

function hex32(value: number): string {
  return value.toString(16).padStart(8, '0')
}
