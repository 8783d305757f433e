import { EventHub } from './event-stream.ts'
import type { StartMessage } from './messages.ts'
import type { ReplicateConfig, ReplicateOptions } from './options.ts'
import { Replication } from './replication.ts'
import { ReplicationError } from './replication-error.ts'
import { Supervisor } from './supervisor.ts'

const ORPHAN_MS = 30_000

/**
 * Replicates one database, the databases of a folder, or what a configuration object says, in a process of its own: SQLite's locks
 * belong to a process, so the engine never runs in the application's. Resolves when each database is attached and nothing that is
 * committed can be lost any more; that it is in the replica is what `durable` waits for.
 *
 * @throws ReplicationError with the code of what is wrong: `bad-config`, `unknown-scheme`, `database-missing`, `not-wal-mode`,
 * `lease-held`, `permission-denied` and so on; the reason of the signal
 */
export async function replicate(
  config: ReplicateConfig,
  options: ReplicateOptions = {},
): Promise<Replication> {
  const hub = new EventHub()
  if (options.onEvent !== undefined) hub.on(options.onEvent)
  const supervisor = new Supervisor(startMessage(config, options), options, hub)
  await supervisor.begin()
  return new Replication(supervisor, hub)
}

function startMessage(config: ReplicateConfig, options: ReplicateOptions): StartMessage {
  const { value, short } = asFile(config)
  let plain: unknown
  try {
    plain = JSON.parse(JSON.stringify(value))
  } catch (cause) {
    throw new ReplicationError('bad-config', 'the configuration holds what is no JSON', { cause })
  }
  return {
    type: 'start',
    config: plain,
    short,
    folder: process.cwd(),
    orphanMs: options.orphanMs ?? ORPHAN_MS,
  }
}

/** One database or one folder as a file with one of them. */
function asFile(config: ReplicateConfig): { readonly value: unknown; readonly short: boolean } {
  if ('database' in config) {
    const { database, drivers, limits, ...rest } = config
    return { value: { drivers, limits, databases: [{ path: database, ...rest }] }, short: true }
  }
  if ('folder' in config) {
    const { folder, drivers, limits, ...rest } = config
    return { value: { drivers, limits, folders: [{ path: folder, ...rest }] }, short: true }
  }
  return { value: config, short: false }
}
