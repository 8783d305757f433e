import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { missing, refusalOf, refused, unanswered } from '../src/gcs-errors.ts'

const context = { operation: 'put', key: 'a/b' } as const

function answer(reason: string, message: string): string {
  return JSON.stringify({ error: { code: 1, message, errors: [{ reason, message, domain: 'global' }] } })
}

test.each([
  [
    400,
    answer('invalid', 'Provided MD5 hash "x" doesn\'t match calculated MD5 hash "y".'),
    'unavailable',
    true,
    undefined,
  ],
  [400, answer('invalid', 'Invalid argument.'), 'unknown', false, undefined],
  [
    400,
    answer('userProjectMissing', 'Bucket is a requester pays bucket'),
    'invalid-config',
    false,
    /project=/,
  ],
  [401, answer('authError', 'Invalid Credentials'), 'permission-denied', false, /gcloud auth/],
  [
    403,
    answer('forbidden', 'x does not have storage.objects.create access'),
    'permission-denied',
    false,
    /objectAdmin/,
  ],
  [403, answer('rateLimitExceeded', 'too much'), 'rate-limited', true, /per second/],
  [403, answer('userRateLimitExceeded', 'too much'), 'rate-limited', true, /quota/],
  [403, answer('retentionPolicyNotMet', 'too young'), 'permission-denied', false, /retention/],
  [404, answer('notFound', 'The specified bucket does not exist.'), 'not-found', false, /my-bucket/],
  [408, '', 'timeout', true, undefined],
  [412, answer('conditionNotMet', 'did not hold'), 'precondition-failed', false, undefined],
  [416, '', 'range-not-satisfiable', false, undefined],
  [
    429,
    answer('rateLimitExceeded', 'The object exceeded the rate limit'),
    'rate-limited',
    true,
    /per second/,
  ],
  [429, '', 'rate-limited', true, /per second/],
  [500, '<html>oops</html>', 'unavailable', true, undefined],
  [503, answer('backendError', 'try again'), 'unavailable', true, undefined],
])('%i %s is %s', (status, text, code, transient, hint) => {
  const error = refused(refusalOf(status, text), context, 'my-bucket')
  expect(error).toMatchObject({ code, transient, driver: 'gcs', ...context, cause: { status } })
  if (hint === undefined) expect(error.hint).toBeUndefined()
  else expect(error.hint).toMatch(hint)
  expect(error.message).toMatch(/^put a\/b: \S/)
})

test.each([
  [
    new Error('Could not load the default credentials. Browse to …'),
    'permission-denied',
    false,
    /gcloud auth/,
  ],
  [
    new Error('The incoming JSON object does not contain a private_key field; private key'),
    'permission-denied',
    false,
    /gcloud/,
  ],
  [
    Object.assign(new Error('DECODER routines::unsupported'), { code: 'ERR_OSSL_UNSUPPORTED' }),
    'permission-denied',
    false,
    /gcloud/,
  ],
  [
    Object.assign(new Error('invalid_grant'), { response: { status: 400 } }),
    'permission-denied',
    false,
    /gcloud auth/,
  ],
  [Object.assign(new Error('try later'), { response: { status: 503 } }), 'unavailable', true, undefined],
  [
    Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' }),
    'unavailable',
    true,
    undefined,
  ],
  [Object.assign(new Error('getaddrinfo ENOTFOUND'), { code: 'ENOTFOUND' }), 'unavailable', true, undefined],
  [
    Object.assign(new Error('self-signed'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' }),
    'unavailable',
    false,
    /NODE_EXTRA_CA_CERTS/,
  ],
  ['a string', 'unavailable', true, undefined],
  [undefined, 'unavailable', true, undefined],
])('%o before an answer is %s', (thrown, code, transient, hint) => {
  const error = unanswered(thrown, context)
  expect(error).toMatchObject({ code, transient, driver: 'gcs', ...context })
  if (hint === undefined) expect(error.hint).toBeUndefined()
  else expect(error.hint).toMatch(hint)
})

test('an error of the SDK is not passed on: it carries the request with its headers', () => {
  const thrown = Object.assign(new Error('failed with Bearer ya29.secret-canary'), {
    config: { headers: { authorization: 'Bearer ya29.secret-canary' }, data: 'assertion=secret-canary' },
    response: { status: 400, data: { access_token: 'secret-canary' } },
  })
  expect(inspect(unanswered(thrown, context), { depth: 20, showHidden: true })).not.toContain('secret-canary')
})

test('an object that is not there is no bucket that is not there', () => {
  const refusal = refusalOf(404, answer('notFound', 'No such object: my-bucket/a/b'))
  const error = refused(refusal, { operation: 'get', key: 'a/b' }, 'my-bucket')
  expect(error).toMatchObject({ code: 'not-found', transient: false })
  expect(error.hint).toBeUndefined()
})

test.each([
  [404, 'The specified bucket does not exist.', 'bucket'],
  [404, 'bucket not found', 'bucket'],
  [404, 'No such object: bucket/not-there', 'object'],
  [404, 'Not Found', 'unclear'],
  [404, '', 'unclear'],
  [403, 'The specified bucket does not exist.', undefined],
  [204, '', undefined],
])('%i %s is about: %s', (status, message, expected) => {
  expect(missing({ status, reason: '', message })).toBe(expected)
})
