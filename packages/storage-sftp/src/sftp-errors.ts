import { StorageError, type StorageErrorCode, type StorageOperationName } from '@sqlstream/storage'

export const DRIVER = 'sftp'

/** Status codes of SFTP version 3; servers in use send no finer ones. */
export const STATUS = {
  noSuchFile: 2,
  permissionDenied: 3,
  failure: 4,
  badMessage: 5,
  unsupported: 8,
} as const

/** The server's refusal of one request. The connection is fine. */
export class RequestFailure extends Error {
  override readonly name: 'RequestFailure' = 'RequestFailure'
  readonly status: number
  /** What was asked for, as in `Connection`. */
  readonly request: string

  constructor(request: string, status: number, message: string) {
    super(`${request}: ${message}`)
    this.request = request
    this.status = status
  }
}

/** There is no connection, or no more. What was sent and not answered may have been done, or be done later. */
export class ConnectionFailure extends Error {
  override readonly name: 'ConnectionFailure' = 'ConnectionFailure'
  readonly code: StorageErrorCode
  readonly hint: string | undefined

  constructor(
    message: string,
    fields: {
      readonly code: StorageErrorCode
      readonly hint?: string | undefined
      readonly cause?: unknown
    },
  ) {
    super(message, fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = fields.code
    this.hint = fields.hint
  }
}

export function isMissing(error: unknown): boolean {
  return error instanceof RequestFailure && error.status === STATUS.noSuchFile
}

/** Whether the same call on a new connection may succeed. What hung once would hang again, so a time limit is none. */
export function isLost(error: unknown): boolean {
  return error instanceof ConnectionFailure && error.code === 'unavailable'
}

/** Where an error happened. */
export interface CallContext {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

interface Meaning {
  readonly code: StorageErrorCode
  readonly hint?: string
}

const MEANINGS: Readonly<Record<number, Meaning>> = {
  [STATUS.noSuchFile]: { code: 'not-found' },
  [STATUS.permissionDenied]: {
    code: 'permission-denied',
    hint: 'Give this user access to the folder on the server.',
  },
  [STATUS.badMessage]: { code: 'invalid-key', hint: 'Use a shorter key or a root with a shorter path.' },
  [STATUS.unsupported]: { code: 'unsupported' },
}

/** Requests that fail without a reason mostly when there is no room. */
const WRITING: ReadonlySet<string> = new Set(['create', 'write', 'fsync', 'close', 'mkdir'])
const NO_ROOM: Meaning = {
  code: 'unavailable',
  hint: 'The server gives no reason; look there for a full disk, a used up quota, or errors of the disk.',
}

/** The `StorageError` for a failure of this package; any other error stays as it is. */
export function translateError(error: unknown, context: CallContext): unknown {
  const what = context.key === undefined ? context.operation : `${context.operation} ${context.key}`
  if (error instanceof ConnectionFailure) {
    const { code, hint, message } = error
    return new StorageError(`${what}: ${message}`, { driver: DRIVER, ...context, code, hint, cause: error })
  }
  if (error instanceof RequestFailure) {
    const meaning = MEANINGS[error.status] ?? (WRITING.has(error.request) ? NO_ROOM : { code: 'unknown' })
    const message = `${what}: ${error.message}`
    return new StorageError(message, { driver: DRIVER, ...context, ...meaning, cause: error })
  }
  return error
}

export function failure(
  context: CallContext,
  code: StorageErrorCode,
  message: string,
  hint?: string,
): StorageError {
  return new StorageError(message, { driver: DRIVER, ...context, code, hint })
}
