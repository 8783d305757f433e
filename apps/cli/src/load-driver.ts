import { readFileSync } from 'node:fs'
import { createRequire, findPackageJSON } from 'node:module'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { BlobStore, StorageDriver } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'

/** A driver that the configuration names, and the name. */
export interface NamedDriver {
  readonly packageName: string
  readonly driver: StorageDriver
}

/**
 * Loads a driver by the name of its package, or by a path that begins with a dot or a slash. It is looked for from the folder of
 * the configuration file, then beside the command line itself.
 *
 * @throws CLIError `driver-missing`, `driver-failed`, `bad-driver`
 */
export async function loadDriver(packageName: string, folder: string): Promise<NamedDriver> {
  const from = [pathToFileURL(join(folder, 'sqlstream.yml')).href, import.meta.url]
  const file = from.map((base) => resolveFrom(packageName, base)).find((found) => found !== undefined)
  if (file === undefined) {
    throw new CLIError(
      'driver-missing',
      `the storage driver ${packageName} is not installed`,
      `npm install ${packageName} in ${folder}, or beside @sqlstream/cli`,
    )
  }
  let exported: Readonly<Record<string, unknown>>
  try {
    exported = (await import(pathToFileURL(file).href)) as Readonly<Record<string, unknown>>
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new CLIError('driver-failed', `the storage driver ${packageName} does not load: ${reason}`)
  }
  return { packageName, driver: checkDriver(exported['default'] ?? exported['driver'], packageName) }
}

/** The file of a module that is named in the file `base`; undefined when there is none. */
function resolveFrom(name: string, base: string): string | undefined {
  try {
    return createRequire(base).resolve(name)
  } catch (error) {
    // A package that offers nothing but `import`: what a resolver for require() does not look at.
    if ((error as NodeJS.ErrnoException).code !== 'ERR_PACKAGE_PATH_NOT_EXPORTED') return undefined
    const manifest = findPackageJSON(name, base)
    if (manifest === undefined) return undefined
    const { exports } = JSON.parse(readFileSync(manifest, 'utf8')) as { exports?: unknown }
    const entry = importEntry(exports)
    return entry === undefined ? undefined : join(dirname(manifest), entry)
  }
}

/** The entry itself, and what an import in Node goes by. */
const CONDITIONS: ReadonlySet<string> = new Set('. node import default'.split(' '))

/** What `exports` of a package gives for an import of its name. */
function importEntry(exports: unknown): string | undefined {
  if (typeof exports === 'string') return exports
  if (typeof exports !== 'object' || exports === null) return undefined
  for (const [condition, value] of Object.entries(exports)) {
    if (!CONDITIONS.has(condition)) continue
    const entry = importEntry(value)
    if (entry !== undefined) return entry
  }
  return undefined
}

function checkDriver(value: unknown, packageName: string): StorageDriver {
  const { name, schemes, open } = (value ?? {}) as Partial<Record<keyof StorageDriver, unknown>>
  const demands: readonly (readonly [isMet: boolean, otherwise: string])[] = [
    [value !== undefined, 'it has no export "default" or "driver"'],
    [typeof name === 'string' && /^[a-z][a-z0-9-]*$/.test(name), 'its name is not one of a-z, 0-9 and "-"'],
    [isSchemes(schemes), 'its schemes are no list of URL schemes in lower case and without a colon'],
    [typeof open === 'function', 'it has no function open'],
  ]
  const unmet = demands.find(([isMet]) => !isMet)
  if (unmet === undefined) return value as StorageDriver
  throw new CLIError(
    'bad-driver',
    `${packageName} is no storage driver: ${unmet[1]}`,
    'a driver exports { name, schemes, open(url, options) }; see docs/write-a-driver.md',
  )
}

function isSchemes(value: unknown): boolean {
  const isScheme = (each: unknown): boolean => typeof each === 'string' && /^[a-z][a-z0-9+.-]*$/.test(each)
  return Array.isArray(value) && value.length > 0 && value.every(isScheme)
}

/** The store that a driver opened, if it is one. @throws CLIError `bad-driver` */
export function checkStore(store: BlobStore, driver: StorageDriver): BlobStore {
  const methods = ['list', 'head', 'get', 'put', 'delete', Symbol.asyncDispose] as const
  const missing = methods.find(
    (method) => typeof (store as Partial<BlobStore> | undefined)?.[method] !== 'function',
  )
  const hasCapabilities = typeof (store as Partial<BlobStore> | undefined)?.capabilities === 'object'
  if (missing === undefined && hasCapabilities) return store
  throw new CLIError(
    'bad-driver',
    `the storage driver ${driver.name} opened what is no store: it has no ${String(missing ?? 'capabilities')}`,
    'a BlobStore has list, head, get, put, delete, [Symbol.asyncDispose] and capabilities; see docs/write-a-driver.md',
  )
}
