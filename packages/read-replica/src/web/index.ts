export { type HttpPlace, HttpStore } from './http/http-store.ts'
export { findPublicReplica, type PublicReplica } from './http/public-bucket.ts'
export { ReadOnlyStore } from './http/read-only-store.ts'
export { openReplica, type WebOpenOptions } from './open-replica.ts'
