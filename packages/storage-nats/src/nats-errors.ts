import {
  isStorageError,
  StorageError,
  type StorageErrorCode,
  type StorageOperationName,
} from '@sqlstream/storage'

export const DRIVER = 'nats'

/** Where an error happened. */
export interface CallContext {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

/** Numbers of the JetStream API. */
export const API = {
  messageNotFound: 10_037,
  sequenceNotFound: 10_043,
  messageDeleteFailed: 10_057,
} as const

interface Meaning {
  readonly code: StorageErrorCode
  readonly hint?: string
}

const NO_BUCKET = 'Create the bucket, or correct its name: nats object add NAME.'
const FULL = 'The bucket or the account is full: raise its limit (nats object info) or shorten the retention.'
const NO_JETSTREAM = 'Start the server with JetStream (-js), or enable it for this account.'
const RIGHTS =
  'The user needs to publish to $JS.API.> and $O.BUCKET.>, and to subscribe to _INBOX.>; check user, password and token.'

const BY_NUMBER: Readonly<Record<number, Meaning>> = {
  10059: { code: 'not-found', hint: NO_BUCKET },
  10071: { code: 'precondition-failed' },
  10164: { code: 'precondition-failed' },
  10023: { code: 'unavailable', hint: FULL },
  10047: { code: 'unavailable', hint: FULL },
  10077: { code: 'unavailable', hint: FULL },
  10039: { code: 'unsupported', hint: NO_JETSTREAM },
  10076: { code: 'unsupported', hint: NO_JETSTREAM },
}

const BY_NAME: Readonly<Record<string, Meaning>> = {
  TimeoutError: { code: 'timeout' },
  NoResponders: { code: 'unavailable', hint: NO_JETSTREAM },
  JetStreamNotEnabled: { code: 'unsupported', hint: NO_JETSTREAM },
  AuthorizationError: { code: 'permission-denied', hint: RIGHTS },
  UserAuthenticationExpiredError: { code: 'permission-denied', hint: RIGHTS },
  PermissionViolationError: { code: 'permission-denied', hint: RIGHTS },
  ClosedConnectionError: { code: 'unavailable' },
  DrainingConnectionError: { code: 'unavailable' },
  ConnectionError: { code: 'unavailable' },
  RequestError: { code: 'unavailable' },
  JetStreamStatusError: { code: 'unavailable' },
  JetStreamError: { code: 'unavailable' },
}

/** The `StorageError` for what the client threw; ours stays as it is. */
export function translateError(error: unknown, context: CallContext): StorageError {
  if (isStorageError(error)) return error
  const what = context.key === undefined ? context.operation : `${context.operation} ${context.key}`
  const message = error instanceof Error ? error.message : String(error)
  return new StorageError(`${what}: ${message}`, {
    driver: DRIVER,
    ...context,
    ...meaningOf(error),
    cause: error,
  })
}

/** The number of an error of the JetStream API, its own or below one of ours. */
export function apiNumber(error: unknown): number | undefined {
  if (isStorageError(error)) return apiNumber(error.cause)
  const code: unknown = error instanceof Error ? Reflect.get(error, 'code') : undefined
  return typeof code === 'number' ? code : undefined
}

function meaningOf(error: unknown): Meaning {
  const number = apiNumber(error)
  if (number !== undefined && BY_NUMBER[number] !== undefined) return BY_NUMBER[number]
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    // A request that failed has its reason below it.
    const meaning = BY_NAME[each.name]
    if (meaning !== undefined && (each.cause === undefined || each.name !== 'RequestError')) return meaning
    const code: unknown = Reflect.get(each, 'code')
    if (typeof code === 'string' && /^E[A-Z]+$/.test(code)) return { code: 'unavailable' }
  }
  return { code: 'unknown' }
}

export function failure(
  context: CallContext,
  code: StorageErrorCode,
  message: string,
  hint?: string,
): StorageError {
  return new StorageError(message, { driver: DRIVER, ...context, code, hint })
}
