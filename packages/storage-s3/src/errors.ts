import {
  codeOfStatus,
  StorageError,
  type StorageErrorCode,
  type StorageOperationName,
} from '@sqlstream/storage'

export const DRIVER = 's3'

/** Where an error happened. */
export interface CallContext {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

interface Meaning {
  readonly code: StorageErrorCode
  readonly transient?: boolean
  readonly hint?: string
}

const NO_BUCKET = 'Create the bucket, or correct its name and region.'
const NO_ACCESS =
  'Allow s3:GetObject, s3:PutObject, s3:DeleteObject, s3:ListBucket and s3:AbortMultipartUpload for this bucket and prefix.'
const BAD_KEYS = 'Check the access key and the secret key, and that they belong to this service.'
const EXPIRED = 'The session has ended: get new credentials.'
const CLOCK = 'Set the clock of this machine: it is too far from that of the service.'
const REGION = 'Set region to the region of the bucket.'
const ARCHIVED = 'The object is in an archive class: restore it there first.'
const FULL = 'The service has no more room: free space or raise the quota.'

const FOLDER_IN_THE_WAY = 'One key is a folder of another key; this service keeps objects as files.'

const DENIED: Meaning = { code: 'permission-denied', hint: NO_ACCESS }
const WRONG_KEYS: Meaning = { code: 'permission-denied', hint: BAD_KEYS }
const OVER: Meaning = { code: 'permission-denied', hint: EXPIRED }
const WRONG_REGION: Meaning = { code: 'invalid-config', hint: REGION }
const AS_FILES: Meaning = { code: 'invalid-key', hint: FOLDER_IN_THE_WAY }
const SLOWER: Meaning = { code: 'rate-limited' }
const LATER: Meaning = { code: 'unavailable' }

/** The service's own words, which say more than a status. */
const CODES: Readonly<Record<string, Meaning>> = {
  NoSuchKey: { code: 'not-found' },
  NotFound: { code: 'not-found' },
  NoSuchBucket: { code: 'not-found', hint: NO_BUCKET },
  NoSuchUpload: { code: 'unavailable', hint: 'The upload was removed while it ran: put the object again.' },
  PreconditionFailed: { code: 'precondition-failed' },
  ConditionalRequestConflict: LATER,
  OperationAborted: LATER,
  InvalidRange: { code: 'range-not-satisfiable' },
  AccessDenied: DENIED,
  AllAccessDisabled: DENIED,
  AccountProblem: DENIED,
  InvalidAccessKeyId: WRONG_KEYS,
  SignatureDoesNotMatch: WRONG_KEYS,
  InvalidToken: WRONG_KEYS,
  ExpiredToken: OVER,
  TokenRefreshRequired: OVER,
  RequestTimeTooSkewed: { code: 'permission-denied', hint: CLOCK },
  PermanentRedirect: WRONG_REGION,
  TemporaryRedirect: LATER,
  AuthorizationHeaderMalformed: WRONG_REGION,
  IllegalLocationConstraintException: WRONG_REGION,
  InvalidBucketName: { code: 'invalid-config' },
  KeyTooLongError: { code: 'invalid-key' },
  // versitygw and MinIO.
  ObjectParentIsFile: AS_FILES,
  ExistingObjectIsDirectory: AS_FILES,
  XMinioParentIsObject: AS_FILES,
  XMinioObjectExistsAsDirectory: AS_FILES,
  SlowDown: SLOWER,
  SlowDownRead: SLOWER,
  SlowDownWrite: SLOWER,
  TooManyRequests: SLOWER,
  TooManyRequestsException: SLOWER,
  Throttling: SLOWER,
  ThrottlingException: SLOWER,
  RequestLimitExceeded: SLOWER,
  InternalError: LATER,
  ServiceUnavailable: LATER,
  RequestTimeout: { code: 'timeout' },
  // Bytes that were damaged or lost on the way.
  BadDigest: LATER,
  XAmzContentSHA256Mismatch: LATER,
  IncompleteBody: LATER,
  NotImplemented: { code: 'unsupported' },
  MethodNotAllowed: { code: 'unsupported' },
  EntityTooLarge: { code: 'unsupported' },
  InvalidObjectState: { code: 'unavailable', transient: false, hint: ARCHIVED },
  QuotaExceeded: { code: 'unavailable', hint: FULL },
  XMinioStorageFull: { code: 'unavailable', hint: FULL },
  CredentialsProviderError: {
    code: 'permission-denied',
    hint: 'Set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or a profile.',
  },
  TimeoutError: { code: 'timeout' },
}

/** What the SDK calls an error whose answer had no body. */
const NAMELESS: ReadonlySet<string> = new Set(['Unknown', 'UnknownError', '409', 'Conflict'])

const NO_HOST: Meaning = { code: 'unavailable', hint: 'Check the endpoint, the region and the name server.' }
const NO_TLS: Meaning = {
  code: 'invalid-config',
  hint: 'Check the certificate of the endpoint, and whether it speaks https at all.',
}

/** What the system says when there was no answer. */
const SYSTEM: Readonly<Record<string, Meaning>> = {
  ENOTFOUND: NO_HOST,
  EAI_AGAIN: NO_HOST,
  ECONNREFUSED: { code: 'unavailable', hint: 'Nothing answers there: check the endpoint.' },
  ETIMEDOUT: { code: 'timeout' },
  EPROTO: NO_TLS,
  ERR_TLS_CERT_ALTNAME_INVALID: NO_TLS,
  DEPTH_ZERO_SELF_SIGNED_CERT: NO_TLS,
  SELF_SIGNED_CERT_IN_CHAIN: NO_TLS,
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: NO_TLS,
  CERT_HAS_EXPIRED: NO_TLS,
}

/** What an error of the SDK or of a socket has to say; everything else in it may hold headers and keys. */
interface Facts {
  readonly name: string
  readonly message: string
  readonly system: string | undefined
  readonly status: number | undefined
  readonly requestId: string | undefined
  readonly region: string | undefined
  /** The SDK has learnt by how much our clock is wrong, and signs the next request with the right time. */
  readonly isClockCorrected: boolean
}

function factsOf(error: Error): Facts {
  const { $metadata, $response, code } = error as Error & {
    readonly code?: unknown
    readonly $metadata?: {
      readonly httpStatusCode?: number
      readonly requestId?: string
      readonly clockSkewCorrected?: boolean
    }
    readonly $response?: { readonly statusCode?: number; readonly headers?: Readonly<Record<string, string>> }
  }
  return {
    name: error.name,
    message: error.message,
    system: typeof code === 'string' ? code : undefined,
    status: $metadata?.httpStatusCode ?? $response?.statusCode,
    requestId: $metadata?.requestId,
    region: $response?.headers?.['x-amz-bucket-region'],
    isClockCorrected: $metadata?.clockSkewCorrected === true,
  }
}

/** The region that the service says the bucket is in, when that is why it refused. */
export function regionOf(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined
  const { status, region } = factsOf(error)
  return status === 301 || status === 307 || status === 400 ? region : undefined
}

/** The service's own word for the reason of an error, if this is one of ours. */
export function s3CodeOf(error: unknown): string | undefined {
  return error instanceof StorageError && error.cause instanceof Error ? error.cause.name : undefined
}

/** The `StorageError` for an error of the SDK or of a socket. Ours, and those of programs (TypeError), stay as they are. */
export function translateError(error: unknown, context: CallContext): unknown {
  if (!(error instanceof Error) || error instanceof StorageError) return error
  const facts = factsOf(error)
  if (facts.status === undefined && facts.system === undefined && isProgramError(error)) return error
  const meaning = meaningOf(facts)
  const what = context.key === undefined ? context.operation : `${context.operation} ${context.key}`
  const hint =
    meaning === WRONG_REGION && facts.region !== undefined
      ? `The bucket is in ${facts.region}: set region=${facts.region}.`
      : meaning.hint
  return new StorageError(`${what}: ${facts.message} (${facts.name})`, {
    driver: DRIVER,
    ...context,
    ...meaning,
    ...(facts.isClockCorrected ? { transient: true } : {}),
    hint,
    cause: bareError(facts),
  })
}

function meaningOf({ name, system, status }: Facts): Meaning {
  const byCode = CODES[name]
  if (byCode !== undefined) return byCode
  if (status === 301 || status === 307) return WRONG_REGION
  if (status === 403) return DENIED
  // Something else was going on with the object, and a HEAD has no more to say.
  if (status === 409 && NAMELESS.has(name)) return LATER
  // An answer with a good status that cannot be read was cut or comes from something in between.
  if (status !== undefined) return status < 300 ? LATER : { code: codeOfStatus(status) }
  if (system !== undefined) return SYSTEM[system] ?? LATER
  return { code: 'unknown' }
}

function isProgramError(error: Error): boolean {
  return error instanceof TypeError || error instanceof RangeError || error instanceof ReferenceError
}

/** An error of the SDK carries the whole request: signatures, session tokens, customer keys. This one does not. */
function bareError({ name, message, system, status, requestId }: Facts): Error {
  const bare = new Error(message)
  bare.name = name
  return Object.assign(bare, {
    ...(system === undefined ? {} : { code: system }),
    ...(status === undefined ? {} : { status }),
    ...(requestId === undefined ? {} : { requestId }),
  })
}

export function failure(
  context: CallContext,
  code: StorageErrorCode,
  message: string,
  hint?: string,
): StorageError {
  return new StorageError(message, { driver: DRIVER, ...context, code, hint })
}
