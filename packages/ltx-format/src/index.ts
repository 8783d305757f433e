export type { ByteStream } from './byte-stream.ts'
export {
  CHECKSUM_FLAG,
  type Checksum,
  formatChecksum,
  type Pos,
  parseChecksum,
  toChecksum,
} from './checksum.ts'
export { checksumPage, crc64, crc64Combine } from './crc64.ts'
export { Decoder, type DecoderOptions, type PageBatch } from './decoder.ts'
export { type EncodeOptions, Encoder, type EncoderOptions } from './encoder.ts'
export { isLTXError, LTXError, type LTXErrorCode, type LTXErrorOptions } from './errors.ts'
export { formatFilename, parseFilename } from './filename.ts'
export { PAGE_HEADER_SIZE } from './frame.ts'
export {
  type ChainProof,
  createHeader,
  decodeHeader,
  encodeHeader,
  HEADER_FLAG_NO_CHECKSUM,
  HEADER_SIZE,
  type Header,
  type HeaderInit,
} from './header.ts'
export { createKernel, type DecodeStep, type KernelOptions, type PageKernel } from './kernel/page-kernel.ts'
export { type MergedInput, type MergeGroup, type MergeOptions, mergeFiles } from './merge.ts'
export { PageIndex, type PageIndexEntry } from './page-index.ts'
export { isPageSize, lockPgno, type Page, type PageSize, type Pgno } from './page-size.ts'
export type { DoneBlock, KernelPool } from './pool/kernel-pool.ts'
export {
  type RandomAccessFile,
  type ReadOptions,
  readHeader,
  readPage,
  readPageIndex,
} from './random-access.ts'
export { TRAILER_SIZE, type Trailer } from './trailer.ts'
export {
  type Brand,
  formatTXID,
  isContiguous,
  isSnapshot,
  parseTXID,
  type TXID,
  type TXIDRange,
  toTXID,
} from './txid.ts'
