import { redactText } from './redact.ts'

/** Why a call failed. Programs act on this; new codes come with minor releases. */
export type StorageErrorCode =
  | 'not-found'
  | 'precondition-failed'
  | 'range-not-satisfiable'
  | 'permission-denied'
  | 'rate-limited'
  | 'unavailable'
  | 'timeout'
  | 'invalid-key'
  | 'invalid-config'
  | 'unsupported'
  | 'unknown'

/** The call that failed. */
export type StorageOperationName = 'list' | 'head' | 'get' | 'put' | 'copy' | 'delete' | 'open'

/** What a `StorageError` is made of. */
export interface StorageErrorFields {
  readonly code: StorageErrorCode
  readonly driver: string
  readonly operation: StorageOperationName
  /** As the caller gave it. */
  readonly key?: string | undefined
  /** Default: true for 'rate-limited', 'unavailable' and 'timeout'. 'precondition-failed' never is. */
  readonly transient?: boolean | undefined
  /** One sentence on what a person can do. */
  readonly hint?: string | undefined
  /** The error of the SDK or the system. */
  readonly cause?: unknown
}

const TRANSIENT: ReadonlySet<StorageErrorCode> = new Set(['rate-limited', 'unavailable', 'timeout'])

/** The only error a store rejects with, besides aborts, errors of the caller's body and programmer errors. */
export class StorageError extends Error {
  override readonly name: 'StorageError' = 'StorageError'
  readonly code: StorageErrorCode
  /** The same call may succeed later. */
  readonly transient: boolean
  readonly driver: string
  readonly operation: StorageOperationName
  /** The key as the caller gave it, where the call had one. */
  declare readonly key?: string
  /** One sentence on what a person can do. */
  declare readonly hint?: string

  /** Credentials of URLs and headers in `message` and `hint` are replaced, whatever the driver passes. */
  constructor(message: string, fields: StorageErrorFields) {
    super(redactText(message), fields.cause === undefined ? undefined : { cause: fields.cause })
    this.code = fields.code
    this.transient = fields.code !== 'precondition-failed' && (fields.transient ?? TRANSIENT.has(fields.code))
    this.driver = fields.driver
    this.operation = fields.operation
    if (fields.key !== undefined) this.key = fields.key
    if (fields.hint !== undefined) this.hint = redactText(fields.hint)
  }
}

/** By name and code, not instanceof: two copies of this package may be installed. */
export function isStorageError(error: unknown, code?: StorageErrorCode): error is StorageError {
  return (
    error instanceof Error &&
    error.name === 'StorageError' &&
    (code === undefined || Reflect.get(error, 'code') === code)
  )
}
