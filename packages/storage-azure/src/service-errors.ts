import {
  codeOfStatus,
  isStorageError,
  redactText,
  StorageError,
  type StorageErrorCode,
  type StorageOperationName,
} from '@sqlstream/storage'

export const DRIVER = 'abs'

/** Where an error happened. */
export interface CallContext {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

/**
 * What the SDK threw, without what must not be shown: its own errors hold the request, with the signature in its URL or
 * headers.
 */
export class ServiceError extends Error {
  override readonly name: 'ServiceError' = 'ServiceError'
  /** The service's word for it (`BlobNotFound`), or the system's (`ECONNRESET`). */
  readonly code: string | undefined
  readonly status: number | undefined
  /** For Microsoft's support. */
  readonly requestId: string | undefined

  constructor(
    message: string,
    fields: {
      readonly code?: string | undefined
      readonly status?: number | undefined
      readonly requestId?: string | undefined
    },
  ) {
    super(redactText(message))
    this.code = fields.code
    this.status = fields.status
    this.requestId = fields.requestId
  }
}

interface Meaning {
  readonly code: StorageErrorCode
  readonly transient?: boolean
  readonly hint?: string
}

const SIGN_IN = 'Check the account name and the key or SAS, its expiry, and the clock of this machine.'
const RIGHTS =
  'The SAS needs the rights r, w, l and d; an identity needs the role Storage Blob Data Contributor on the container.'
const NETWORK_RULES = 'The firewall of the storage account does not let this address in.'
const LEASED = 'Somebody holds an Azure lease on it: az storage blob lease break.'
const IMMUTABLE =
  'A policy keeps it from being changed or deleted: exempt this container or shorten the policy.'
const ARCHIVED = 'It was moved to the archive tier: rehydrate it, and exempt the container from that rule.'
const OLD_SERVER =
  'The server does not know this version of the API: update it, or start Azurite with --skipApiVersionCheck.'

const DENIED: Meaning = { code: 'permission-denied', hint: RIGHTS }
const UNAUTHENTICATED: Meaning = { code: 'permission-denied', hint: SIGN_IN }

/** By the service's own code; what is not here goes by its status. */
const MEANINGS: Readonly<Record<string, Meaning>> = {
  BlobNotFound: { code: 'not-found' },
  ContainerNotFound: {
    code: 'not-found',
    hint: 'Correct the name of the container, or create it: it is not made on its own.',
  },
  ContainerBeingDeleted: {
    code: 'unavailable',
    hint: 'The container is being deleted; its name is free again after a minute.',
  },
  BlobAlreadyExists: { code: 'precondition-failed' },
  ConditionNotMet: { code: 'precondition-failed' },
  InvalidRange: { code: 'range-not-satisfiable' },
  AuthenticationFailed: UNAUTHENTICATED,
  InvalidAuthenticationInfo: UNAUTHENTICATED,
  NoAuthenticationInformation: UNAUTHENTICATED,
  AuthorizationFailure: {
    code: 'permission-denied',
    hint: `${SIGN_IN} ${NETWORK_RULES.replace('does not', 'may not')}`,
  },
  AuthorizationPermissionMismatch: DENIED,
  AuthorizationResourceTypeMismatch: DENIED,
  AuthorizationServiceMismatch: DENIED,
  InsufficientAccountPermissions: DENIED,
  AuthorizationSourceIPMismatch: { code: 'permission-denied', hint: NETWORK_RULES },
  KeyBasedAuthenticationNotPermitted: {
    code: 'permission-denied',
    hint: 'The account accepts no keys: sign in with an identity (az login, or a managed identity).',
  },
  AccountIsDisabled: {
    code: 'permission-denied',
    hint: 'The storage account is disabled: look into its subscription.',
  },
  LeaseIdMissing: { code: 'permission-denied', hint: LEASED },
  LeaseIdMismatchWithBlobOperation: { code: 'permission-denied', hint: LEASED },
  BlobImmutableDueToPolicy: { code: 'permission-denied', hint: IMMUTABLE },
  BlobArchived: { code: 'unsupported', hint: ARCHIVED },
  BlobBeingRehydrated: {
    code: 'unavailable',
    hint: 'It is being brought back from the archive tier; that takes hours.',
  },
  SnapshotsPresent: {
    code: 'unsupported',
    hint: 'It has snapshots, which are not ours to delete: remove them.',
  },
  ServerBusy: { code: 'rate-limited' },
  OperationTimedOut: { code: 'timeout' },
  InvalidBlockList: { code: 'unavailable', hint: 'Another writer put the same key meanwhile.' },
  InvalidBlobOrBlock: {
    code: 'unavailable',
    transient: false,
    hint: 'Another program left half an upload under this key; the service forgets it after a week.',
  },
  PARSE_ERROR: { code: 'unavailable' },
  InvalidHeaderValue: { code: 'unsupported', hint: OLD_SERVER },
  UnsupportedHeader: { code: 'unsupported', hint: OLD_SERVER },
}

const NO_NAME = 'There is no such host: check the account name and the endpoint.'
const NO_CERTIFICATE = 'Its certificate is not trusted: set NODE_EXTRA_CA_CERTS, or correct the endpoint.'
const NO_IDENTITY =
  'No identity was found: set AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN or AZURE_STORAGE_CONNECTION_STRING, or sign in (az login).'

/** The `StorageError` for what the SDK threw; ours stays as it is. */
export function translateError(error: unknown, context: CallContext): StorageError {
  if (isStorageError(error)) return error
  const cause = serviceError(error)
  const what = context.key === undefined ? context.operation : `${context.operation} ${context.key}`
  return new StorageError(`${what}: ${cause.message}`, {
    driver: DRIVER,
    ...context,
    ...meaningOf(error, cause),
    cause,
  })
}

/** The service's own code of an error that `translateError` made. */
export function serviceCode(error: unknown): string | undefined {
  const cause = error instanceof Error ? error.cause : undefined
  return cause instanceof ServiceError ? cause.code : undefined
}

/** Whether there is no such blob in a container that is there. */
export function isBlobMissing(error: unknown): boolean {
  return isStorageError(error, 'not-found') && serviceCode(error) !== 'ContainerNotFound'
}

function meaningOf(error: unknown, { code, status }: ServiceError): Meaning {
  const known = code === undefined ? undefined : MEANINGS[code]
  if (known !== undefined) return known
  if (status !== undefined) return { code: codeOfStatus(status) }
  const name = error instanceof Error ? error.name : ''
  if (/Authentication|Credential/.test(name)) return { code: 'permission-denied', hint: NO_IDENTITY }
  if (code === 'ETIMEDOUT') return { code: 'timeout' }
  if (code === 'ENOTFOUND') return { code: 'unavailable', hint: NO_NAME }
  if (code !== undefined && /CERT|ERR_TLS|UNABLE_TO/.test(code)) {
    return { code: 'unavailable', transient: false, hint: NO_CERTIFICATE }
  }
  // Without an answer it was the connection; an abort that nobody asked for is how the SDK reports a cut one.
  if (name === 'RestError' || name === 'AbortError' || code !== undefined) return { code: 'unavailable' }
  return { code: 'unknown' }
}

function serviceError(error: unknown): ServiceError {
  if (!(error instanceof Error)) return new ServiceError(String(error), {})
  const { code, statusCode, response } = error as Partial<RestErrorShape>
  const header = (name: string): string | undefined => response?.headers?.get(name)
  const word = header('x-ms-error-code') ?? (typeof code === 'string' ? code : undefined)
  // A HEAD has no body to say anything; the further lines of a body are numbers and times.
  const line = error.message.split('\n', 1)[0]!.trim()
  const said = line === '' ? `the service answered ${statusCode}` : line
  const message = word === undefined || said.includes(word) ? said : `${said} (${word})`
  return new ServiceError(message, { code: word, status: statusCode, requestId: header('x-ms-request-id') })
}

/** As far as it matters here; its types drag in the SDK. */
interface RestErrorShape {
  readonly code: string
  readonly statusCode: number
  readonly response: { readonly headers?: { get(name: string): string | undefined } }
}
