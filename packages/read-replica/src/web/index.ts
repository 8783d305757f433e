export { openReplica, type WebOpenOptions } from './open-replica.ts'
