import { type Catalog, type GenerationCatalog, type LTXFile, Replica } from '@sqlstream/replica'
import {
  type AbortOptions,
  type BlobStore,
  type OpenOptions,
  type StorageOperation,
  withObserver,
} from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'
import type { Drivers } from './drivers.ts'
import type { Location } from './location.ts'

/** A replica that was named on the command line. */
export interface NamedReplica extends AsyncDisposable {
  readonly location: Location
  readonly store: BlobStore
  readonly replica: Replica
}

/** How a replica is opened. */
export interface OpenReplicaOptions extends OpenOptions {
  readonly drivers: Drivers
  /** Learns of every call of the store. */
  readonly onOperation?: ((operation: StorageOperation) => void) | undefined
}

/** Opens the replica at a URL or path. @throws CLIError `unknown-scheme`, `bad-url` */
export async function openReplica(text: string, options: OpenReplicaOptions): Promise<NamedReplica> {
  const { drivers, onOperation, ...rest } = options
  const location = await drivers.locate(text)
  const opened = await drivers.open(location, rest)
  const store = onOperation === undefined ? opened : withObserver(opened, onOperation)
  return {
    location,
    store,
    replica: new Replica(store),
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  }
}

/** Every file of a catalog, level by level. */
export function allFiles(catalog: Catalog): LTXFile[] {
  return [...catalog.levels.entries()].sort(([a], [b]) => a - b).flatMap(([, files]) => [...files])
}

/** The catalog of a replica that must hold something. @throws CLIError `no-backup` */
export async function readCatalog(named: NamedReplica, options: AbortOptions = {}): Promise<Catalog> {
  const catalog = await named.replica.catalog(options)
  if (allFiles(catalog).length === 0) throw noBackup(named)
  return catalog
}

/** What can be restored: LTX files, or, only if there are none, what Litestream 0.3 has left. */
export type Backup =
  | { readonly kind: 'ltx'; readonly catalog: Catalog }
  | { readonly kind: 'generations'; readonly generations: GenerationCatalog }

/** How `readBackup` chooses. */
export interface ReadBackupOptions extends AbortOptions {
  /** Whether only generations are of interest. */
  readonly generationsOnly?: boolean
}

/** Finds what a replica that must hold something holds. @throws CLIError `no-backup` */
export async function readBackup(named: NamedReplica, options: ReadBackupOptions = {}): Promise<Backup> {
  const { generationsOnly = false, ...rest } = options
  if (!generationsOnly) {
    const catalog = await named.replica.catalog(rest)
    if (allFiles(catalog).length > 0) return { kind: 'ltx', catalog }
  }
  const generations = await named.replica.generations(rest)
  if (generations.generations.size === 0) throw noBackup(named)
  return { kind: 'generations', generations }
}

function noBackup(named: NamedReplica): CLIError {
  return new CLIError(
    'no-backup',
    `there is no backup at ${named.location.display}`,
    'check the URL; sqlstream replicate <db> <url> makes one',
  )
}
