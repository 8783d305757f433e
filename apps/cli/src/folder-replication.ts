import { createHash } from 'node:crypto'
import { stat } from 'node:fs/promises'
import { resolve } from 'node:path'
import { Replica } from '@sqlstream/replica'
import {
  type Budgets,
  Fleet,
  type FleetDatabase,
  type FleetFailure,
  type FleetListener,
  type FleetReport,
  type Member,
} from '@sqlstream/replica-core'
import { type BlobStore, type StorageOperation, withObserver, withPrefix } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'
import type { ControlledDatabase, DatabaseRow } from './control/database-row.ts'
import type { Drivers } from './drivers.ts'
import type { Location } from './location.ts'
import { stopped } from './pair-run.ts'
import type { Pair } from './replication.ts'
import { displayOf } from './url-template.ts'
import { boundYoungGeneration } from './young-generation.ts'

/** Which files of a folder are replicated, and how many of them at once. */
export interface FolderSelection {
  readonly include?: readonly string[]
  readonly exclude?: readonly string[]
  readonly recursive?: boolean
  readonly maxOpen?: number
  readonly restAfterMs?: number
}

/** A folder whose databases are replicated, and how. */
export interface WatchedFolder
  extends FolderSelection,
    Pick<Pair, 'syncIntervalMs' | 'onBehind' | 'onDiverged' | 'lease' | 'maintenance' | 'environment'> {
  /** Absolute. */
  readonly folder: string
  /** The place of all replicas. */
  readonly location: Location
  readonly template: string
}

/** What the replication of a folder is started with, beside the folder. */
export interface FolderReplicationOptions {
  readonly drivers: Drivers
  readonly signal: AbortSignal
  readonly onEvent: FleetListener
  readonly budgets: Budgets
  /** Learns of every call of the store. */
  readonly onOperation?: (operation: StorageOperation) => void
  /** Learns how long writers were kept out, ms. */
  readonly onWriteLock?: (milliseconds: number) => void
}

/** A running replication of the databases in a folder. */
export class FolderReplication {
  readonly watched: WatchedFolder
  readonly #store: BlobStore
  readonly #fleet: Fleet

  private constructor(watched: WatchedFolder, store: BlobStore, fleet: Fleet) {
    this.watched = watched
    this.#store = store
    this.#fleet = fleet
  }

  static async start(watched: WatchedFolder, options: FolderReplicationOptions): Promise<FolderReplication> {
    const { drivers, signal, onEvent, onOperation, budgets, onWriteLock } = options
    const { folder, location, template, environment, recursive, include, exclude, maxOpen, restAfterMs } =
      watched
    await assertNoFile(folder)
    boundYoungGeneration()
    const opened = await drivers.open(location, { signal, environment })
    const store = onOperation === undefined ? opened : withObserver(opened, onOperation)
    try {
      const fleet = await Fleet.open({
        folder: {
          path: folder,
          signal,
          ...(recursive === undefined ? {} : { recursive }),
          ...(include === undefined ? {} : { include }),
          ...(exclude === undefined ? {} : { exclude }),
        },
        template,
        storeName: nameOf(location.url, environment),
        replicaOf: ({ destination }) => new Replica(withPrefix(store, destination)),
        primary: primaryOptions(watched),
        budgets,
        ...(onWriteLock && { onWriteLock }),
        ...(maxOpen === undefined ? {} : { maxOpen }),
        ...(restAfterMs === undefined ? {} : { restAfterMs }),
        onEvent,
      })
      return new FolderReplication(watched, store, fleet)
    } catch (error) {
      await store[Symbol.asyncDispose]()
      throw error
    }
  }

  get databases(): number {
    return [...this.#fleet.members].length
  }

  /** Those that are known now. */
  get members(): Iterable<Member> {
    return this.#fleet.members
  }

  /** How all databases stand. */
  *rows(): Iterable<DatabaseRow> {
    for (const member of this.#fleet.members) yield this.#row(member)
  }

  /** The database at an absolute path; undefined when it is not one of them. */
  database(path: string): ControlledDatabase | undefined {
    const found = this.#fleet.member(path)
    if (found === undefined) return undefined
    const member = (): Member => {
      const now = this.#fleet.member(path)
      if (now === undefined) throw new CLIError('unknown-database', `${path} is not there any more`)
      return now
    }
    const row = (): DatabaseRow => this.#row(member())
    return {
      get row() {
        return row()
      },
      sync: async (signal) => {
        if (member().status.state === 'stopped') throw stopped(path)
        return (await member().durable(signal)).txid
      },
      start: (signal) => this.#fleet.start(path, { signal }),
      stop: (signal) => this.#fleet.stop(path, { signal }),
    }
  }

  #row(member: Member): DatabaseRow {
    const { database, ...status } = member.status
    return { ...status, ...sourceOf(this.watched, database) }
  }

  /** Resolves when everything that was committed before is in the replicas, with the databases where it is not. */
  durable(signal: AbortSignal): Promise<readonly FleetFailure[]> {
    return this.#fleet.durable({ signal })
  }

  /** Uploads what is left and lets go. The signal ends the wait for the uploads. */
  async stop(signal?: AbortSignal): Promise<FleetReport> {
    try {
      return await this.#fleet.close(signal && { signal })
    } finally {
      await this.#store[Symbol.asyncDispose]()
    }
  }
}

/** Database and replica of an event's line. */
export function sourceOf(
  { location }: WatchedFolder,
  { path, destination }: FleetDatabase,
): { database: string; replica: string } {
  return { database: path, replica: displayOf(location.display, destination) }
}

/** What decides beside the URL which store is meant; keys that come and go with each start are left out. */
const PLACE_VARIABLES =
  /^(AWS_(ENDPOINT_URL|PROFILE|ACCESS_KEY_ID|CONFIG_FILE|SHARED_CREDENTIALS_FILE)|AZURE_STORAGE_(ACCOUNT|SERVICE|CONNECTION)|NATS_|STORAGE_EMULATOR_HOST|LITESTREAM_)/

/**
 * The same for the same store alone: what one process has recorded of a store must not be taken for true of another. Parts of it are
 * secret, so it is a checksum.
 * @param environment default: that of the process
 */
export function nameOf(
  url: URL,
  environment: Readonly<Record<string, string | undefined>> = process.env,
): string {
  const place = Object.entries(environment).filter(([name]) => PLACE_VARIABLES.test(name))
  return createHash('sha256')
    .update(JSON.stringify([url.href, place.sort()]))
    .digest('hex')
}

function primaryOptions(watched: WatchedFolder) {
  const { syncIntervalMs, onBehind, onDiverged, lease, maintenance } = watched
  return {
    lease,
    ...(syncIntervalMs === undefined ? {} : { syncIntervalMs }),
    ...(onBehind === undefined ? {} : { onBehind }),
    ...(onDiverged === undefined ? {} : { onDiverged }),
    ...(maintenance === undefined ? {} : { maintenance }),
  }
}

/** A folder that is missing may come; a file will not become one. */
async function assertNoFile(path: string): Promise<void> {
  const found = await stat(resolve(path)).catch(() => undefined)
  if (found?.isFile()) {
    throw new CLIError(
      'usage',
      `${path} is no folder`,
      'sqlstream replicate <db> <url> replicates one database',
    )
  }
}
