import { type Catalog, type LTXFile, Replica } from '@sqlstream/replica'
import type { AbortOptions, BlobStore, OpenOptions } from '@sqlstream/storage'
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
}

/** Opens the replica at a URL or path. @throws CLIError `unknown-scheme`, `bad-url` */
export async function openReplica(text: string, options: OpenReplicaOptions): Promise<NamedReplica> {
  const { drivers, ...rest } = options
  const location = await drivers.locate(text)
  const store = await drivers.open(location, rest)
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
  if (allFiles(catalog).length === 0) {
    throw new CLIError(
      'no-backup',
      `there is no backup at ${named.location.display}`,
      'check the URL; sqlstream replicate <db> <url> makes one',
    )
  }
  return catalog
}
