import { Args, Flags, type Interfaces } from '@oclif/core'
import { parseDuration } from './duration.ts'
import { limitFlags } from './limits.ts'
import type { PairOptions } from './pairs.ts'
import { verificationOf } from './verification-flags.ts'

/** Arguments of every command that replicates until it is stopped. */
export const replicationArgs = {
  pairs: Args.string({
    ignoreStdin: true,
    multiple: true,
    description:
      'database path and replica URL, as often as you like; default: those of the configuration file',
  }),
}

/** Flags of every command that replicates until it is stopped. */
export const replicationFlags = {
  'sync-interval': Flags.string({
    description: 'longest time between a commit and its capture, default 1s',
  }),
  'on-behind': Flags.option({ options: ['refuse', 'snapshot'] as const })({
    description:
      'when the replica is ahead of this database: refuse (default), or start anew from a snapshot',
  }),
  'on-diverged': Flags.option({ options: ['refuse', 'snapshot'] as const })({
    description:
      'when the replica holds another history, because this database was never replicated from here or another writer has taken over since: refuse (default), or make its state the newest',
  }),
  wait: Flags.boolean({
    default: false,
    description:
      'while another writer holds the replica, wait for its end; otherwise only for as long as it shows no life',
  }),
  'lease-ttl': Flags.string({
    description: 'how long a writer that shows no life keeps others out, default 30s',
  }),
  'sole-writer': Flags.boolean({
    default: false,
    description: 'take no lease: you answer for it that nobody else writes there',
  }),
  'no-compaction': Flags.boolean({
    default: false,
    description: 'merge nothing here: something else runs sqlstream compact',
  }),
  'no-retention': Flags.boolean({
    default: false,
    description: 'remove nothing here: something else runs sqlstream retention, or nothing ever goes',
  }),
  'verify-every': Flags.string({
    description:
      'time between two proofs that the newest state can be restored, each of which reads it all, for example 24h; default: those of the configuration file, else none',
    dependsOn: ['verify-budget'],
  }),
  'verify-budget': Flags.string({
    description: 'most bytes that are read for that in 24 hours and for one database, for example 10GB',
    dependsOn: ['verify-every'],
  }),
  ...limitFlags,
  socket: Flags.string({
    env: 'SQLSTREAM_SOCKET',
    description:
      'where commands are taken while it runs; default: "socket" of the configuration file, else one for each process of this user',
  }),
  'no-socket': Flags.boolean({ default: false, description: 'take no commands while it runs' }),
  metrics: Flags.string({
    description:
      'offer figures to Prometheus, and /healthz, at this port of this machine, or at this address and port',
  }),
  'metrics-per-database': Flags.boolean({
    default: false,
    description: 'a number for each database too, of which there may be many',
  }),
}

/** What was said with {@link replicationFlags}. */
export type ReplicationFlags = Interfaces.InferredFlags<typeof replicationFlags>

/** What flags say for every database. @throws CLIError `usage` */
export function pairOptionsOf(
  flags: ReplicationFlags & { readonly 'state-dir': string | undefined },
): PairOptions {
  return {
    ...(flags['sync-interval'] === undefined
      ? {}
      : { syncIntervalMs: parseDuration(flags['sync-interval']) }),
    ...(flags['on-behind'] === undefined ? {} : { onBehind: flags['on-behind'] }),
    ...(flags['on-diverged'] === undefined ? {} : { onDiverged: flags['on-diverged'] }),
    ...(flags['state-dir'] === undefined ? {} : { stateDir: flags['state-dir'] }),
    maintenance: {
      ...(flags['no-compaction'] ? { compaction: 'never' } : {}),
      ...(flags['no-retention'] ? { retention: 'never' } : {}),
      ...verificationOf(flags['verify-every'], flags['verify-budget']),
    },
    lease: {
      ...(flags.wait ? { wait: 'forever' } : {}),
      ...(flags['lease-ttl'] === undefined ? {} : { ttlMs: parseDuration(flags['lease-ttl']) }),
      ...(flags['sole-writer'] ? { soleWriter: true } : {}),
    },
  }
}
