import {
  codeOfStatus,
  redactText,
  StorageError,
  type StorageErrorCode,
  type StorageOperationName,
} from '@sqlstream/storage'

export const DRIVER = 'gcs'

/** Where an error happened. */
export interface CallContext {
  readonly operation: StorageOperationName
  readonly key?: string | undefined
}

/** What the service said of a request that it refused. */
export interface Refusal {
  readonly status: number
  /** A short word for programs, for instance 'rateLimitExceeded'; empty when the answer had none. */
  readonly reason: string
  /** For people; empty when the answer had none. */
  readonly message: string
}

/** Reads the body of a refusal, JSON or any text, of which the beginning is kept. */
export function refusalOf(status: number, text: string): Refusal {
  const said = parseError(text)
  const message = typeof said?.message === 'string' ? said.message : text
  const reason = said?.errors?.[0]?.reason
  return { status, reason: typeof reason === 'string' ? reason : '', message: message.trim().slice(0, 500) }
}

interface ErrorObject {
  readonly message?: unknown
  readonly errors?: readonly ({ readonly reason?: unknown } | undefined)[]
}

function parseError(text: string): ErrorObject | undefined {
  try {
    const parsed = JSON.parse(text) as { readonly error?: unknown } | null
    return typeof parsed?.error === 'object' && parsed.error !== null ? parsed.error : undefined
  } catch {
    return undefined
  }
}

/** What a refusal is about. 'unclear' is a 404 with the words of an emulator or a proxy. */
export function missing({ status, message }: Refusal): 'object' | 'bucket' | 'unclear' | undefined {
  if (status !== 404) return undefined
  if (/bucket (?:does not exist|not found)|no such bucket/i.test(message)) return 'bucket'
  return /no such object/i.test(message) ? 'object' : 'unclear'
}

const ROLE = 'Grant the account the role Storage Object Admin (roles/storage.objectAdmin) on the bucket.'
export const LOGIN_HINT: string =
  'Set GOOGLE_APPLICATION_CREDENTIALS to a credentials file, or run: gcloud auth application-default login.'

export function missingBucketHint(bucket: string): string {
  return `Make the bucket ${bucket}, or correct its name.`
}

interface Meaning {
  readonly code: StorageErrorCode
  readonly transient?: boolean
  readonly hint?: string
}

const REASONS: Readonly<Record<string, Meaning>> = {
  rateLimitExceeded: {
    code: 'rate-limited',
    hint: 'An object takes about one write per second, a bucket grows into its rate: write less often.',
  },
  userRateLimitExceeded: { code: 'rate-limited', hint: 'Raise the quota of the project, or ask less often.' },
  quotaExceeded: { code: 'rate-limited', hint: 'Raise the quota of the project, or ask less often.' },
  retentionPolicyNotMet: {
    code: 'permission-denied',
    hint: 'The retention policy of the bucket forbids this until the object is old enough.',
  },
  objectUnderActiveHold: { code: 'permission-denied', hint: 'Release the hold on the object.' },
  accountDisabled: { code: 'permission-denied', hint: 'Enable billing for the project of the bucket.' },
  userProjectMissing: {
    code: 'invalid-config',
    hint: 'The requester pays in this bucket: name a project with ?project=.',
  },
}

const STATUSES: Readonly<Record<number, string>> = {
  401: LOGIN_HINT,
  403: ROLE,
  429: 'An object takes about one write per second, a bucket grows into its rate: write less often.',
}

/** The error for an answer that is a refusal. */
export function refused(refusal: Refusal, context: CallContext, bucket: string): StorageError {
  const { status, reason, message } = refusal
  const { code, transient, hint } = meaningOf(refusal, context, bucket)
  const said = message === '' ? `status ${status}` : message
  return new StorageError(`${describe(context)}: ${said}`, {
    driver: DRIVER,
    ...context,
    code,
    transient,
    hint,
    cause: Object.assign(new Error(`the service answered ${status} ${reason}`.trim()), { status, reason }),
  })
}

function meaningOf(refusal: Refusal, { operation }: CallContext, bucket: string): Meaning {
  const { status, reason, message } = refusal
  const known = REASONS[reason]
  if (known !== undefined) return known
  const isBucketMissing = status === 404 && (operation === 'list' || operation === 'put')
  if (isBucketMissing || missing(refusal) === 'bucket') {
    return { code: 'not-found', hint: missingBucketHint(bucket) }
  }
  // The bytes changed on their way. They are still here, so the same call may succeed.
  if (status === 400 && /hash|crc32c|md5/i.test(message)) return { code: 'unavailable' }
  return { code: codeOfStatus(status), ...(STATUSES[status] === undefined ? {} : { hint: STATUSES[status] }) }
}

const CERTIFICATE = /^(?:CERT_|ERR_TLS_|DEPTH_ZERO_|SELF_SIGNED_|UNABLE_TO_)/

/** The error for credentials that were not found or cannot be used. */
export function noCredentials(error: unknown): StorageError {
  const text = error instanceof Error ? error.message : String(error)
  // Such a message quotes what it could not read.
  const message = /\bJSON\b/.test(text) ? 'the credentials file is not what it should be' : text
  return failure({ operation: 'open' }, 'permission-denied', `no credentials: ${message}`, LOGIN_HINT)
}

/** The error for a request that got no answer from the service, or no credentials to ask with. */
export function unanswered(error: unknown, context: CallContext): StorageError {
  const {
    message,
    code: system,
    response,
  } = (error ?? {}) as {
    readonly message?: unknown
    readonly code?: unknown
    readonly response?: { readonly status?: unknown }
  }
  const text = typeof message === 'string' ? message : String(error)
  const fields = { driver: DRIVER, ...context, cause: bare(text, system) }
  const what = describe(context)
  if (typeof response?.status === 'number') {
    // The answer of a token service: ours are refusals.
    const meaning: Meaning =
      response.status >= 500 || response.status === 429
        ? { code: 'unavailable' }
        : { code: 'permission-denied', hint: LOGIN_HINT }
    return new StorageError(`${what}: not authenticated: ${text}`, { ...fields, ...meaning })
  }
  const noKey = typeof system === 'string' && system.startsWith('ERR_OSSL')
  if (noKey || /credential|refresh token|private key/i.test(text)) {
    return new StorageError(`${what}: ${text}`, { ...fields, code: 'permission-denied', hint: LOGIN_HINT })
  }
  if (typeof system === 'string' && CERTIFICATE.test(system)) {
    const hint =
      'The certificate of the endpoint is not trusted: correct the endpoint, or set NODE_EXTRA_CA_CERTS.'
    return new StorageError(`${what}: ${text}`, { ...fields, code: 'unavailable', transient: false, hint })
  }
  return new StorageError(`${what}: ${text}`, { ...fields, code: 'unavailable' })
}

/** Errors of the SDK carry the whole request, headers too: only what a person needs goes on. */
function bare(message: string, code: unknown): Error {
  return Object.assign(new Error(redactText(message)), typeof code === 'string' ? { code } : {})
}

export function failure(
  context: CallContext,
  code: StorageErrorCode,
  message: string,
  hint?: string,
): StorageError {
  return new StorageError(message, { driver: DRIVER, ...context, code, hint })
}

export function describe({ operation, key }: CallContext): string {
  return key === undefined ? operation : `${operation} ${key}`
}
