import { StorageError, type StorageOperationName } from './errors.ts'

/** Longest key, in characters, which are bytes: keys are ASCII. */
export const MAX_KEY_LENGTH = 1024
/** Longest part between two slashes: the limit of common file systems. */
export const MAX_SEGMENT_LENGTH = 255

// Such keys are ASCII, so JavaScript's comparison of strings is the byte order of keys.
const KEY = /^[A-Za-z0-9._-]+(?:\/[A-Za-z0-9._-]+)*$/
const PREFIX = /^(?:[A-Za-z0-9._-]+\/)*[A-Za-z0-9._-]*$/

function hasLegalSegments(segments: readonly string[]): boolean {
  return segments.every((s) => s !== '.' && s !== '..' && s.length <= MAX_SEGMENT_LENGTH)
}

/**
 * Whether a key is legal: segments of `A-Z a-z 0-9 . _ -` joined by single slashes; no segment is `.`
 * or `..`; at most 1024 characters, 255 in a segment.
 */
export function isKey(key: string): boolean {
  return key.length <= MAX_KEY_LENGTH && KEY.test(key) && hasLegalSegments(key.split('/'))
}

/** Whether some legal key starts with this string. The empty string is such a prefix. */
export function isKeyPrefix(prefix: string): boolean {
  if (prefix.length > MAX_KEY_LENGTH || !PREFIX.test(prefix)) return false
  const segments = prefix.split('/')
  // The last segment is unfinished: ".." may become "..x".
  const unfinished = segments.pop()!
  return hasLegalSegments(segments) && unfinished.length <= MAX_SEGMENT_LENGTH
}

/** Where a key or a prefix was given, for the error. */
export interface KeyContext {
  readonly driver: string
  readonly operation: StorageOperationName
}

/** @throws StorageError 'invalid-key' */
export function checkKey(key: string, context: KeyContext): void {
  if (!isKey(key)) throw invalidKey('key', key, context)
}

/** Checks `prefix` and `startAfter` of a list call. @throws StorageError 'invalid-key' */
export function checkListKeys(
  options: { readonly prefix?: string | undefined; readonly startAfter?: string | undefined },
  driver: string,
): void {
  const context: KeyContext = { driver, operation: 'list' }
  if (!isKeyPrefix(options.prefix ?? '')) throw invalidKey('prefix', options.prefix ?? '', context)
  if (!isKeyPrefix(options.startAfter ?? ''))
    throw invalidKey('startAfter', options.startAfter ?? '', context)
}

function invalidKey(what: string, key: string, context: KeyContext): StorageError {
  // A key may hold control characters or be very long: quote and cut it for the terminal.
  const shown = JSON.stringify(key.length > 80 ? `${key.slice(0, 80)}…` : key)
  return new StorageError(`${what} ${shown} is not legal`, {
    code: 'invalid-key',
    ...context,
    key,
    hint: 'Use letters, digits, ".", "_" and "-" between single slashes, without "." or ".." as a segment.',
  })
}
