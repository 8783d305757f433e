export { sftpDriver } from './sftp-driver.ts'
export type { SFTPStoreOptions } from './sftp-options.ts'
export { SFTPStore } from './sftp-store.ts'
export type { SweepOptions, SweepResult } from './sweep.ts'
