export { Block, type BlockShape } from './block.ts'
export {
  createJobRunner,
  type JobOutcome,
  type KernelJob,
  type KernelReply,
  type KernelRequest,
} from './job.ts'
export type { DoneBlock, KernelPool } from './kernel-pool.ts'
export { type PoolWorker, type PoolWorkerEvents, type StartWorker, WorkerPool } from './worker-pool.ts'
