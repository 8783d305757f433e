export type { HydrateOptions } from './hydrate.ts'
export { type NodeOpenOptions, openReplica } from './open-replica.ts'
