import type { Benchmark } from './benchmark.ts'

/** The benchmarks in the order in which they run and are reported. Loaded only where they run. */
export const BENCHMARKS: Readonly<Record<string, () => Promise<Benchmark>>> = {
  codec: async () => (await import('./codec.ts')).codec,
  capture: async () => (await import('./capture.ts')).capture,
  latency: async () => (await import('./latency.ts')).latency,
  writer: async () => (await import('./writer.ts')).writer,
  restore: async () => (await import('./restore.ts')).restore,
  'read-replica': async () => (await import('./read-replica.ts')).readReplica,
  follow: async () => (await import('./follow.ts')).follow,
  merge: async () => (await import('./merge.ts')).merge,
  'small-files': async () => (await import('./small-files.ts')).smallFiles,
  'fleet-idle': async () => (await import('./fleet-idle.ts')).fleetIdle,
  'fleet-writes': async () => (await import('./fleet-writes.ts')).fleetWrites,
  storage: async () => (await import('./storage.ts')).storage,
  memory: async () => (await import('./memory.ts')).memory,
}
