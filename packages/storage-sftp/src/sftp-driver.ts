import {
  type AbortOptions,
  redactUrl,
  type StorageDriver,
  StorageError,
  urlParameters,
} from '@sqlstream/storage'
import { publicKeyOf } from './host-key.ts'
import { DRIVER } from './sftp-errors.ts'
import type { SFTPStoreOptions } from './sftp-options.ts'
import { SFTPStore } from './sftp-store.ts'

/**
 * `sftp://user:password@host:port/folder`, where the folder is below the login folder and `//folder` is one from the top, with
 * `key-path`, `host-key`, `known-hosts` (the last two may be several, with commas), and `create=false` as parameters.
 */
export const sftpDriver: StorageDriver = {
  name: DRIVER,
  schemes: ['sftp'],
  async open(url: URL, options: AbortOptions = {}): Promise<SFTPStore> {
    options.signal?.throwIfAborted()
    return SFTPStore.open(optionsOf(url), options)
  },
}

const PARAMETERS = ['key-path', 'host-key', 'known-hosts', 'create']

/** @throws StorageError 'invalid-config' */
export function optionsOf(url: URL): SFTPStoreOptions {
  if (url.protocol !== 'sftp:') throw invalid(url, 'is not an sftp: URL')
  if (url.hostname === '') throw invalid(url, 'names no host; write sftp://user@host/folder')
  if (url.hash !== '') throw invalid(url, 'has a fragment; write # in a path as %23')
  const parameters = urlParameters(url, PARAMETERS, DRIVER)
  const path = decoded(url, url.pathname.slice(1))
  if (path.includes('\0')) throw invalid(url, 'is no path: it has a NUL')
  const create = parameters.get('create') ?? 'true'
  if (create !== 'true' && create !== 'false')
    throw invalid(url, 'has a create that is neither true nor false')
  const pins = parameters.get('host-key')?.split(',') ?? []
  return {
    // An IPv6 address has brackets in a URL and none elsewhere.
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? undefined : Number(url.port),
    user: url.username === '' ? undefined : decoded(url, url.username),
    password: url.password === '' ? undefined : decoded(url, url.password),
    path,
    keyPath: parameters.get('key-path'),
    hostKeys: pins.filter((pin) => pin !== 'any').map((pin) => pinOf(url, pin)),
    anyHostKey: pins.includes('any'),
    knownHostsPaths: parameters.get('known-hosts')?.split(','),
    createRoot: create === 'true',
  }
}

/** A fingerprint or public key; base64 has `+`, which a URL turns into a space when nobody escapes it. */
function pinOf(url: URL, text: string): string {
  const [, type = '', rest = text] = /^((?:ssh|ecdsa|sk)-\S+ )(.*)$/.exec(text) ?? []
  const pin = type + rest.replaceAll(' ', '+')
  if (/^SHA256:[A-Za-z0-9+/]{43}$/.test(pin) || (type !== '' && publicKeyOf(pin) !== undefined)) return pin
  throw invalid(
    url,
    'has a host-key that is no SHA256:… fingerprint, no public key without comment, and not "any"',
  )
}

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
