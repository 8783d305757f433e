import {
  type ByteStream,
  decodeHeader,
  formatFilename,
  HEADER_SIZE,
  type Header,
  isLTXError,
  type RandomAccessFile,
} from '@sqlstream/ltx'
import { type BlobInfo, type BlobStore, getBytes, isStorageError } from '@sqlstream/storage'
import { badNameError, type Catalog, type LTXFile, sortListing } from './catalog.ts'
import { ReplicaError } from './errors.ts'
import { type GenerationCatalog, sortGenerations } from './generations/generation-catalog.ts'
import { GENERATIONS_PREFIX } from './generations/generation-key.ts'
import { decodeIdentity, type Identity } from './identity.ts'
import { IDENTITY_KEY, type Layout, layoutOf, listingPrefix } from './layout.ts'
import type { Lease } from './lease.ts'
import { openWhenRead } from './open-object.ts'
import { readTimestamps } from './timestamps.ts'
import { createWriter, type ReplicaWriter } from './writer.ts'

/** The last argument of everything that waits. */
export interface AbortOptions {
  readonly signal?: AbortSignal | undefined
}

/** How a `Replica` finds its files. */
export interface ReplicaOptions {
  /** Default: what Litestream uses for the store's driver. */
  readonly layout?: Layout
}

/**
 * One database's files in a store. Reading needs nothing else; changing needs a lease. Errors of the store pass through
 * as they are: a listing that fails is never an empty replica.
 */
export class Replica {
  readonly store: BlobStore
  readonly layout: Layout

  constructor(store: BlobStore, options: ReplicaOptions = {}) {
    this.store = store
    this.layout = options.layout ?? layoutOf(store.driver)
  }

  /** Everything that exists, from one flat listing. Throws ReplicaError `bad-name`. */
  async catalog(options: AbortOptions = {}): Promise<Catalog> {
    const objects = await this.#list(listingPrefix(this.layout), options)
    const { catalog, badNames } = sortListing(this.layout, objects)
    if (badNames[0]) throw badNameError(badNames[0].key)
    return catalog
  }

  /** The backups that Litestream 0.3 made here, from one flat listing. Throws ReplicaError `bad-name`. */
  async generations(options: AbortOptions = {}): Promise<GenerationCatalog> {
    return sortGenerations(await this.#list(GENERATIONS_PREFIX, options))
  }

  /** A file's header, by a request for its first 100 bytes. Throws ReplicaError `corrupt`. */
  async header(file: LTXFile, options: AbortOptions = {}): Promise<Header> {
    if (file.size < HEADER_SIZE) {
      throw new ReplicaError('corrupt', `${file.key} has ${file.size} bytes, too few for a header`, { file })
    }
    const range = { offset: 0, length: HEADER_SIZE }
    const bytes = await getBytes(this.store, file.key, { range, ...signalOf(options) })
    let header: Header
    try {
      header = decodeHeader(bytes)
    } catch (error) {
      if (!isLTXError(error)) throw error
      throw new ReplicaError('corrupt', `${file.key}: ${error.message}`, { cause: error, file })
    }
    checkRange(file, header)
    return header
  }

  /** A file's bytes from the beginning, resumed by range when the connection breaks. */
  open(file: LTXFile, options: AbortOptions = {}): ByteStream {
    return openWhenRead(this.store, file, options)
  }

  /** A file read by ranges, one request each. */
  randomAccess(file: LTXFile): RandomAccessFile {
    return {
      size: file.size,
      read: (offset, length, options = {}) =>
        getBytes(this.store, file.key, { range: { offset, length }, ...signalOf(options) }),
    }
  }

  /**
   * The catalog with those header times that decide a restore to an instant: two or three requests where files were uploaded
   * soon after their commit, one for each halving otherwise.
   */
  withTimestamps(catalog: Catalog, target: Date, options: AbortOptions = {}): Promise<Catalog> {
    return readTimestamps(catalog, target, (file) => this.header(file, options))
  }

  /** Which database this replica belongs to; undefined when nobody has said. Throws ReplicaError `corrupt`. */
  async identity(options: AbortOptions = {}): Promise<Identity | undefined> {
    let bytes: Uint8Array
    try {
      bytes = await getBytes(this.store, IDENTITY_KEY, signalOf(options))
    } catch (error) {
      if (isStorageError(error, 'not-found')) return undefined
      throw error
    }
    return decodeIdentity(bytes)
  }

  /** The only way to change a replica. */
  writer(lease: Lease): ReplicaWriter {
    return createWriter(this, lease)
  }

  async #list(prefix: string, options: AbortOptions): Promise<BlobInfo[]> {
    const objects: BlobInfo[] = []
    for await (const object of this.store.list({ prefix, ...signalOf(options) })) objects.push(object)
    return objects
  }
}

/** A header must tell the range that its file's name tells. Throws ReplicaError `corrupt`. */
export function checkRange(file: LTXFile, header: Header): void {
  if (header.minTXID === file.minTXID && header.maxTXID === file.maxTXID) return
  throw new ReplicaError('corrupt', `the header of ${file.key} is that of ${formatFilename(header)}`, {
    file,
  })
}

/** The options to pass on: with exact optional properties, "no signal" means no property. */
export function signalOf(options: AbortOptions): { signal?: AbortSignal } {
  return options.signal ? { signal: options.signal } : {}
}
