export { walChecksum } from './checksum.ts'
export { DATABASE_HEADER_SIZE, type DatabaseHeader, decodeDatabaseHeader } from './database-header.ts'
export { isWALError, WALError, type WALErrorCode } from './error.ts'
export { decodeFrameHeader, WAL_FRAME_HEADER_SIZE, type WALFrameHeader } from './frame-header.ts'
export {
  FrameScanner,
  type FrameScannerOptions,
  type FrameScannerStart,
  type FrameVisitor,
} from './frame-scanner.ts'
export { createWALKernel, type WALKernel, type WALKernelOptions } from './kernel/wal-kernel.ts'
export { isPageSize, type PageSize, type Pgno } from './page-size.ts'
export { decodeWALHeader, WAL_HEADER_SIZE, type WALHeader } from './wal-header.ts'
export { decodeWALIndexHeader, WAL_INDEX_HEADER_SIZE, type WALIndexHeader } from './wal-index.ts'
export {
  type RandomAccessFile,
  type WALPos,
  WALReader,
  type WALReaderOptions,
  type WALTransaction,
} from './wal-reader.ts'
export { isWALResetBugFixed } from './wal-reset-bug.ts'
