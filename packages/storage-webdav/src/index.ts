export type { SweepOptions, SweepResult } from './sweep.ts'
export { webdavDriver } from './webdav-driver.ts'
export type { WebDAVStoreOptions } from './webdav-options.ts'
export { WebDAVStore } from './webdav-store.ts'
