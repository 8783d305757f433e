export { type GCSOpenOptions, gcsDriver, openGCSStore } from './gcs-driver.ts'
export type { GCSPlace } from './gcs-options.ts'
export type { GCSStore } from './gcs-store.ts'
