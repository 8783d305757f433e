export { lastCommit } from './commit-log.ts'
export { compareImages, type ImageComparison } from './compare-images.ts'
export { type DatabaseImage, databaseImage } from './database-image.ts'
export {
  type GoldenFile,
  type GoldenGenerations,
  type GoldenName,
  type GoldenSet,
  type GoldenStep,
  type GoldenTransaction,
  goldenFolderOrReason,
  loadGolden,
  loadGoldenGenerations,
} from './golden.ts'
export { type CLIRestoreOptions, LitestreamCLI, LitestreamReplication } from './litestream-cli.ts'
export { LitestreamVFS, type VFSQueryOptions } from './litestream-vfs.ts'
export { LitestreamVFSSession, type VFSSessionOptions } from './litestream-vfs-session.ts'
export { type MakeDatabaseOptions, makeDatabase } from './make-database.ts'
export { checkPrefix, OracleError, type PrefixOptions, type PrefixReport } from './oracle.ts'
export { LITESTREAM_VERSION, type Peers, peerOrReason } from './peers.ts'
export { Random } from './random.ts'
export { type ProgramOutput, type RunOptions, runProgram } from './run-program.ts'
export { TempFolder } from './temp-folder.ts'
export {
  HOSTILE_MIX,
  PLAIN_MIX,
  type WriterMix,
  type WriterOptions,
  type WriterReport,
} from './writer-options.ts'
export { type WriterExit, WriterProcess } from './writer-process.ts'
