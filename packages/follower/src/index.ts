export type { FollowerClock } from './clock.ts'
export {
  type CompareOptions,
  compareDatabases,
  type DatabaseDiff,
  type RowDiff,
  type SQLValue,
  type TableDiff,
} from './compare/compare-databases.ts'
export { FollowerError, type FollowerErrorCode, isFollowerError } from './errors.ts'
export type { FollowerEvent, FollowerListener } from './events.ts'
export { FAILPOINTS, type Failpoint, type FailpointHook } from './failpoint.ts'
export type { CopyImage, Follower, FollowerStatus, HeadPage } from './follower.ts'
export { openFollower } from './open-follower.ts'
export { type CopyConnection, type CopyStatement, openReader } from './open-reader.ts'
export type { Exclusively, FollowerOptions } from './options.ts'
export { type RollBackOptions, type RollBackResult, rollBack } from './roll-back.ts'
export type { PollOptions } from './search.ts'
