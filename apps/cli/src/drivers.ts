import { type BlobStore, closest, type OpenOptions, type StorageDriver } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'
import { checkStore, type NamedDriver } from './load-driver.ts'
import { type Location, parseLocation, schemeOf } from './location.ts'

/** Loads the driver of a scheme. */
type DriverTable = Readonly<Record<string, () => Promise<StorageDriver>>>

/** A driver loads when a URL names its scheme, so that a file backup never pays for a cloud SDK. One line a scheme. */
export const BUILT_IN_DRIVERS: DriverTable = {
  file: async () => (await import('@sqlstream/storage-file')).fileDriver,
  s3: async () => (await import('@sqlstream/storage-s3')).s3Driver,
  abs: async () => (await import('@sqlstream/storage-azure')).azureDriver,
  azblob: async () => (await import('@sqlstream/storage-azure')).azureDriver,
  nats: async () => (await import('@sqlstream/storage-nats')).natsDriver,
  gs: async () => (await import('@sqlstream/storage-gcs')).gcsDriver,
  sftp: async () => (await import('@sqlstream/storage-sftp')).sftpDriver,
  webdav: async () => (await import('@sqlstream/storage-webdav')).webdavDriver,
  webdavs: async () => (await import('@sqlstream/storage-webdav')).webdavDriver,
}

/** The drivers that a command can use: the built-in ones, and those that the configuration names. */
export class Drivers {
  readonly #loadNamed: () => Promise<readonly NamedDriver[]>
  #named: Promise<DriverTable> | undefined

  /** `loadNamed` is called when a URL has no built-in scheme, once. */
  constructor(loadNamed: () => Promise<readonly NamedDriver[]> = async () => []) {
    this.#loadNamed = loadNamed
  }

  /**
   * A URL for which there is a driver, or a plain path as a short form of `file://`.
   *
   * @throws CLIError `unknown-scheme`, `bad-url`, and those of the configuration and its drivers
   */
  async locate(text: string): Promise<Location> {
    await this.#find(schemeOf(text) ?? 'file')
    return parseLocation(text)
  }

  /** Opens the store that a location names. @throws CLIError `bad-driver` */
  async open(location: Location, options: OpenOptions = {}): Promise<BlobStore> {
    const load = await this.#find(location.url.protocol.slice(0, -1))
    const driver = await load()
    return checkStore(await driver.open(location.url, options), driver)
  }

  /** Loads the drivers that the configuration names, to see whether they can be used. */
  async loadAll(): Promise<void> {
    this.#named ??= this.#loadNamed().then(tableOf)
    await this.#named
  }

  async #find(scheme: string): Promise<() => Promise<StorageDriver>> {
    const builtIn = driverOf(BUILT_IN_DRIVERS, scheme)
    if (builtIn !== undefined) return builtIn
    this.#named ??= this.#loadNamed().then(tableOf)
    const named = await this.#named
    const found = driverOf(named, scheme)
    if (found !== undefined) return found
    const known = [...Object.keys(BUILT_IN_DRIVERS), ...Object.keys(named)]
    const near = closest(scheme, known)
    const question = near === undefined ? '' : `did you mean ${near}://? `
    throw new CLIError(
      'unknown-scheme',
      `there is no storage driver for ${scheme}:// URLs`,
      `${question}known schemes: ${known.map((name) => `${name}://`).join(', ')}, or a plain path`,
    )
  }
}

function driverOf(table: DriverTable, scheme: string): (() => Promise<StorageDriver>) | undefined {
  return Object.hasOwn(table, scheme) ? table[scheme] : undefined
}

/** @throws CLIError `driver-conflict` when a scheme has two drivers */
function tableOf(named: readonly NamedDriver[]): DriverTable {
  const owners = new Map(Object.keys(BUILT_IN_DRIVERS).map((scheme) => [scheme, 'sqlstream itself']))
  const table: Record<string, () => Promise<StorageDriver>> = {}
  for (const { packageName, driver } of named) {
    for (const scheme of driver.schemes) {
      const owner = owners.get(scheme)
      if (owner !== undefined) {
        throw new CLIError(
          'driver-conflict',
          `${packageName} and ${owner} are both drivers for ${scheme}:// URLs`,
          `take ${packageName} out of "drivers", or use a version of it with another scheme`,
        )
      }
      owners.set(scheme, packageName)
      table[scheme] = async () => driver
    }
  }
  return table
}
