import type { StorageErrorCode } from './errors.ts'

/**
 * What a status of a failed HTTP request means in most services; a driver looks at the service's own error code first.
 * 401 and 403 are 'permission-denied', 404 'not-found', 412 'precondition-failed', 416 'range-not-satisfiable', 429
 * 'rate-limited', 408 'timeout', 5xx except 501 'unavailable', 501 'unsupported', all others 'unknown'.
 */
export function codeOfStatus(status: number): StorageErrorCode {
  const code = CODES[status]
  if (code !== undefined) return code
  return status >= 500 && status < 600 ? 'unavailable' : 'unknown'
}

const CODES: Readonly<Record<number, StorageErrorCode>> = {
  401: 'permission-denied',
  403: 'permission-denied',
  404: 'not-found',
  408: 'timeout',
  412: 'precondition-failed',
  416: 'range-not-satisfiable',
  429: 'rate-limited',
  501: 'unsupported',
}
