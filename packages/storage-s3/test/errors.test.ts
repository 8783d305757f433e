import { inspect } from 'node:util'
import { StorageError, type StorageErrorCode } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { translateError } from '../src/errors.ts'

const context = { operation: 'put', key: 'a/b' } as const

function ofService(name: string, status: number, headers: Record<string, string> = {}): Error {
  return Object.assign(new Error(`about ${name}`), {
    name,
    $metadata: { httpStatusCode: status, requestId: 'R1' },
    $response: { statusCode: status, headers },
  })
}

test.each<[string, number, StorageErrorCode, boolean, RegExp | undefined]>([
  ['NoSuchKey', 404, 'not-found', false, undefined],
  ['NotFound', 404, 'not-found', false, undefined],
  ['NoSuchBucket', 404, 'not-found', false, /Create the bucket/],
  ['PreconditionFailed', 412, 'precondition-failed', false, undefined],
  ['ConditionalRequestConflict', 409, 'unavailable', true, undefined],
  ['OperationAborted', 409, 'unavailable', true, undefined],
  ['InvalidRange', 416, 'range-not-satisfiable', false, undefined],
  ['AccessDenied', 403, 'permission-denied', false, /s3:PutObject/],
  ['InvalidAccessKeyId', 403, 'permission-denied', false, /access key/],
  ['SignatureDoesNotMatch', 403, 'permission-denied', false, /secret key/],
  ['ExpiredToken', 400, 'permission-denied', false, /new credentials/],
  ['RequestTimeTooSkewed', 403, 'permission-denied', false, /clock/],
  ['Forbidden', 403, 'permission-denied', false, /s3:PutObject/],
  ['PermanentRedirect', 301, 'invalid-config', false, /region/],
  ['AuthorizationHeaderMalformed', 400, 'invalid-config', false, /region/],
  ['301', 301, 'invalid-config', false, /region/],
  ['ObjectParentIsFile', 409, 'invalid-key', false, /folder of another/],
  ['Unknown', 409, 'unavailable', true, undefined],
  ['BucketNotEmpty', 409, 'unknown', false, undefined],
  ['SlowDown', 503, 'rate-limited', true, undefined],
  ['TooManyRequests', 429, 'rate-limited', true, undefined],
  ['InternalError', 500, 'unavailable', true, undefined],
  ['UnknownError', 500, 'unavailable', true, undefined],
  ['ServiceUnavailable', 503, 'unavailable', true, undefined],
  ['RequestTimeout', 400, 'timeout', true, undefined],
  ['BadDigest', 400, 'unavailable', true, undefined],
  ['XAmzContentSHA256Mismatch', 400, 'unavailable', true, undefined],
  ['NotImplemented', 501, 'unsupported', false, undefined],
  ['InvalidObjectState', 403, 'unavailable', false, /restore it there/],
  ['QuotaExceeded', 403, 'unavailable', true, /room/],
  ['SyntaxError', 200, 'unavailable', true, undefined],
  ['SomethingNew', 400, 'unknown', false, undefined],
  ['SomethingNew', 502, 'unavailable', true, undefined],
])('%s with status %i is %s', (name, status, code, transient, hint) => {
  const error = translateError(ofService(name, status), context) as StorageError
  expect(error).toMatchObject({ code, transient, driver: 's3', operation: 'put', key: 'a/b' })
  expect(error.message).toContain(`about ${name}`)
  if (hint === undefined) expect(error.hint).toBeUndefined()
  else expect(error.hint).toMatch(hint)
  expect(error.cause).toMatchObject({ name, status, requestId: 'R1' })
})

test.each<[string, StorageErrorCode, boolean]>([
  ['ECONNRESET', 'unavailable', true],
  ['EPIPE', 'unavailable', true],
  ['ECONNREFUSED', 'unavailable', true],
  ['ENOTFOUND', 'unavailable', true],
  ['ETIMEDOUT', 'timeout', true],
  ['ERR_STREAM_PREMATURE_CLOSE', 'unavailable', true],
  ['CERT_HAS_EXPIRED', 'invalid-config', false],
  ['EPROTO', 'invalid-config', false],
])('%s of the system is %s', (system, code, transient) => {
  const error = translateError(Object.assign(new Error('broken'), { code: system }), context)
  expect(error).toMatchObject({ code, transient, cause: { code: system } })
})

test('the right region is told', () => {
  const moved = ofService('PermanentRedirect', 301, { 'x-amz-bucket-region': 'eu-west-1' })
  expect((translateError(moved, context) as StorageError).hint).toBe(
    'The bucket is in eu-west-1: set region=eu-west-1.',
  )
})

test('missing credentials have a hint, and errors of programs and our own stay', () => {
  const none = Object.assign(new Error('none'), { name: 'CredentialsProviderError' })
  expect((translateError(none, context) as StorageError).hint).toMatch(/AWS_ACCESS_KEY_ID/)
  for (const own of [
    new TypeError('x'),
    new StorageError('x', { code: 'timeout', driver: 's3', operation: 'put' }),
    'text',
  ])
    expect(translateError(own, context)).toBe(own)
})

test('the cause has nothing of the request', () => {
  const signature = ofService('SignatureDoesNotMatch', 403, { authorization: 'canary' })
  Object.assign(signature, { CanonicalRequest: 'x-amz-security-token:canary', StringToSign: 'canary' })
  const error = translateError(signature, context)
  expect(inspect(error, { depth: 10, showHidden: true })).not.toContain('canary')
})
