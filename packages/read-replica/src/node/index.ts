export { openReplica } from './open-replica.ts'
