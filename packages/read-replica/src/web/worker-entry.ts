export { serveReplica } from './serve-replica.ts'
