import {
  type AbortOptions,
  redactUrl,
  type StorageDriver,
  StorageError,
  urlParameters,
} from '@sqlstream/storage'
import { DRIVER } from './webdav-errors.ts'
import type { WebDAVStoreOptions } from './webdav-options.ts'
import { WebDAVStore } from './webdav-store.ts'

/**
 * `webdav://user:password@host/folder` over HTTP and `webdavs://` over HTTPS, with `create=false` and
 * `conditional-put=auto|probe|never` as parameters.
 */
export const webdavDriver: StorageDriver = {
  name: DRIVER,
  schemes: ['webdav', 'webdavs'],
  async open(url: URL, options: AbortOptions = {}): Promise<WebDAVStore> {
    options.signal?.throwIfAborted()
    return WebDAVStore.open(optionsOf(url), options)
  },
}

/** @throws StorageError 'invalid-config' */
export function optionsOf(url: URL): WebDAVStoreOptions {
  const scheme = SCHEMES[url.protocol]
  if (scheme === undefined) throw invalid(url, 'is not a webdav: or webdavs: URL')
  if (url.host === '') throw invalid(url, 'names no host; write webdavs://user@host/folder')
  if (url.hash !== '') throw invalid(url, 'has a fragment; write # in a path as %23')
  const parameters = urlParameters(url, ['create', 'conditional-put'], DRIVER)
  const create = parameters.get('create') ?? 'true'
  if (create !== 'true' && create !== 'false')
    throw invalid(url, 'has a create that is neither true nor false')
  const conditionalPut = parameters.get('conditional-put') ?? 'auto'
  if (conditionalPut !== 'auto' && conditionalPut !== 'probe' && conditionalPut !== 'never') {
    throw invalid(url, 'has a conditional-put that is neither auto, probe nor never')
  }
  return {
    url: `${scheme}//${url.host}${url.pathname}`,
    user: url.username === '' ? undefined : decoded(url, url.username),
    password: url.password === '' ? undefined : decoded(url, url.password),
    conditionalPut,
    createRoot: create === 'true',
  }
}

const SCHEMES: Readonly<Record<string, string>> = { 'webdav:': 'http:', 'webdavs:': 'https:' }

function decoded(url: URL, text: string): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw invalid(url, 'has a % that is no escape; write % as %25')
  }
}

function invalid(url: URL, problem: string): StorageError {
  const message = `${redactUrl(url)} ${problem}`
  return new StorageError(message, { code: 'invalid-config', driver: DRIVER, operation: 'open' })
}
