export { fileDriver } from './file-driver.ts'
export { FileStore, type FileStoreOptions } from './file-store.ts'
export type { SweepOptions, SweepResult } from './sweep.ts'
