export { kvDriver as driver } from './kv-driver.ts'
export { KVStore, type KVStoreOptions } from './kv-store.ts'
