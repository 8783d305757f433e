import { isStorageError, type StorageErrorCode } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { ServiceError } from '../src/index.ts'
import { translateError } from '../src/service-errors.ts'

interface Thrown {
  readonly name?: string
  readonly code?: string
  readonly statusCode?: number
  /** Of the answer's header, which is all that a HEAD has. */
  readonly header?: string
  readonly message?: string
}

function thrown({ header, name = 'RestError', message = 'Said.\nRequestId:1', ...fields }: Thrown): Error {
  const get = (each: string) => ({ 'x-ms-error-code': header, 'x-ms-request-id': 'id-1' })[each]
  return Object.assign(new Error(message), { name, ...fields, response: { headers: { get } } })
}

test.each<[Thrown, StorageErrorCode, transient: boolean, hint?: RegExp]>([
  [{ statusCode: 404, code: 'BlobNotFound' }, 'not-found', false],
  [
    { statusCode: 404, header: 'ContainerNotFound', message: '' },
    'not-found',
    false,
    /name of the container/,
  ],
  [{ statusCode: 404, message: '' }, 'not-found', false],
  [{ statusCode: 409, code: 'ContainerBeingDeleted' }, 'unavailable', true],
  [{ statusCode: 409, code: 'BlobAlreadyExists' }, 'precondition-failed', false],
  [{ statusCode: 412, code: 'ConditionNotMet' }, 'precondition-failed', false],
  [{ statusCode: 412, header: 'ConditionNotMet', message: '' }, 'precondition-failed', false],
  // 412 as well, and nobody else's version: somebody holds a lease.
  [{ statusCode: 412, code: 'LeaseIdMissing' }, 'permission-denied', false, /lease break/],
  [{ statusCode: 409, code: 'BlobImmutableDueToPolicy' }, 'permission-denied', false, /policy/],
  [{ statusCode: 409, code: 'BlobArchived' }, 'unsupported', false, /archive/],
  [{ statusCode: 409, code: 'SnapshotsPresent' }, 'unsupported', false, /snapshots/],
  [{ statusCode: 409, code: 'SomethingNew' }, 'unknown', false],
  [{ statusCode: 416, code: 'InvalidRange' }, 'range-not-satisfiable', false],
  [{ statusCode: 403, code: 'AuthenticationFailed' }, 'permission-denied', false, /clock/],
  [{ statusCode: 403, code: 'AuthorizationPermissionMismatch' }, 'permission-denied', false, /Contributor/],
  [{ statusCode: 403, header: 'AuthorizationFailure', message: '' }, 'permission-denied', false],
  [{ statusCode: 403, code: 'SomethingNew' }, 'permission-denied', false],
  [{ statusCode: 400, code: 'InvalidBlockList' }, 'unavailable', true],
  [{ statusCode: 400, code: 'InvalidHeaderValue' }, 'unsupported', false, /skipApiVersionCheck/],
  [{ statusCode: 503, code: 'ServerBusy' }, 'rate-limited', true],
  [{ statusCode: 500, code: 'OperationTimedOut' }, 'timeout', true],
  [{ statusCode: 500, code: 'InternalError' }, 'unavailable', true],
  [{ statusCode: 502 }, 'unavailable', true],
  [{ statusCode: 429 }, 'rate-limited', true],
  [{ code: 'ECONNRESET' }, 'unavailable', true],
  [{ code: 'ETIMEDOUT' }, 'timeout', true],
  [{ code: 'ENOTFOUND' }, 'unavailable', true, /account name/],
  [{ code: 'SELF_SIGNED_CERT_IN_CHAIN' }, 'unavailable', false, /NODE_EXTRA_CA_CERTS/],
  [{ code: 'PARSE_ERROR', statusCode: 200 }, 'unavailable', true],
  // How the SDK reports a connection that was cut in an answer.
  [{ name: 'AbortError' }, 'unavailable', true],
  [{ name: 'CredentialUnavailableError' }, 'permission-denied', false, /az login/],
  [{ name: 'AggregateAuthenticationError' }, 'permission-denied', false, /az login/],
  [{ name: 'TypeError' }, 'unknown', false],
])('%o is %s', (fields, code, transient, hint = /(?:)/) => {
  const error = translateError(thrown(fields), { operation: 'put', key: 'a/b' })
  expect(error).toMatchObject({ code, transient, driver: 'abs', operation: 'put', key: 'a/b' })
  expect(error.hint ?? '').toMatch(hint)
  expect(error.message).toMatch(/^put a\/b: (Said\.|the service answered \d+)( \([A-Za-z_]+\))?$/)
  const word = fields.header ?? fields.code
  expect(error.cause).toBeInstanceOf(ServiceError)
  expect(error.cause).toMatchObject({ code: word, status: fields.statusCode, requestId: 'id-1' })
})

test('our own errors stay, and what is no error is one', () => {
  const own = translateError(thrown({ statusCode: 404 }), { operation: 'head' })
  expect(translateError(own, { operation: 'put' })).toBe(own)
  expect(isStorageError(translateError('odd', { operation: 'list' }), 'unknown')).toBe(true)
})
