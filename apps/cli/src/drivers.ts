import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { type BlobStore, closest, redactUrl, type StorageDriver } from '@sqlstream/storage'
import { CLIError } from './cli-error.ts'

/** Drivers load when a URL names them, so that a file backup never pays for a cloud SDK. */
export const BUILT_IN_DRIVERS: Readonly<Record<string, () => Promise<StorageDriver>>> = {
  file: async () => (await import('@sqlstream/storage-file')).fileDriver,
  s3: async () => (await import('@sqlstream/storage-s3')).s3Driver,
  gs: async () => (await import('@sqlstream/storage-gcs')).gcsDriver,
}

/** A place in some store, as the user named it. */
export interface Location {
  readonly url: URL
  /** For people: the text as typed, without credentials. */
  readonly display: string
}

/**
 * A URL, or a plain path as a short form of `file://`.
 *
 * @throws CLIError `unknown-scheme`, `bad-url`
 */
export function parseLocation(text: string): Location {
  const scheme = /^([a-z][a-z0-9+.-]*):\/\//i.exec(text)?.[1]?.toLowerCase()
  if (scheme === undefined) return { url: pathToFileURL(resolve(text)), display: text }
  if (!Object.hasOwn(BUILT_IN_DRIVERS, scheme)) {
    const known = Object.keys(BUILT_IN_DRIVERS)
    const near = closest(scheme, known)
    const question = near === undefined ? '' : `did you mean ${near}://? `
    throw new CLIError(
      'unknown-scheme',
      `there is no storage driver for ${scheme}:// URLs`,
      `${question}known schemes: ${known.map((name) => `${name}://`).join(', ')}, or a plain path`,
    )
  }
  let url: URL
  try {
    // The ARN of an access point has colons, which a URL takes for the mark of a port.
    url = new URL(
      text.replace(/^s3:\/\/arn:[^/]*/i, (host) => `s3://${host.slice(5).replaceAll(':', '%3A')}`),
    )
  } catch {
    throw new CLIError('bad-url', `not a URL: ${redactUrl(text)}`)
  }
  if (scheme === 'file' && url.host !== '') {
    throw new CLIError(
      'bad-url',
      `a file:// URL needs an absolute path: ${redactUrl(text)}`,
      `write file:///${url.host}${url.pathname} or the plain path ${url.host}${url.pathname}`,
    )
  }
  return { url, display: redactUrl(text) }
}

/** Opens the store that a location names. */
export async function openStore(
  location: Location,
  options: { readonly signal?: AbortSignal } = {},
): Promise<BlobStore> {
  const load = BUILT_IN_DRIVERS[location.url.protocol.slice(0, -1)]
  if (load === undefined)
    throw new CLIError('unknown-scheme', `there is no storage driver for ${location.display}`)
  const driver = await load()
  return driver.open(location.url, options)
}
