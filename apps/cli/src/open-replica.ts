import { type Catalog, type LTXFile, Replica } from '@sqlstream/replica'
import type { BlobStore } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'
import { type Location, openStore, parseLocation } from './drivers.ts'

/** A replica that was named on the command line. */
export interface NamedReplica extends AsyncDisposable {
  readonly location: Location
  readonly store: BlobStore
  readonly replica: Replica
}

/** Opens the replica at a URL or path. @throws CLIError `unknown-scheme`, `bad-url` */
export async function openReplica(
  text: string,
  options: { readonly signal?: AbortSignal } = {},
): Promise<NamedReplica> {
  const location = parseLocation(text)
  const store = await openStore(location, options)
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
export async function readCatalog(
  named: NamedReplica,
  options: { readonly signal?: AbortSignal } = {},
): Promise<Catalog> {
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
