import { createHash, createHmac } from 'node:crypto'
import type { HttpRequest } from './faulty-http-server.ts'
import { S3Failure } from './s3-failure.ts'

/** Who may use the fake, and what it takes for the time and the place. */
export interface S3SignatureRules {
  readonly accessKeyId: string
  readonly secretAccessKey: string
  readonly region: string
  readonly now: Date
}

/** What the signatures of a chunked body go on from. */
export interface S3Signature {
  readonly key: Buffer
  readonly date: string
  readonly scope: string
  readonly signature: string
}

const HEADER =
  /^AWS4-HMAC-SHA256 Credential=([^/,]+)\/(\d{8})\/([^/,]+)\/s3\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/
const MAX_SKEW_MS = 15 * 60_000

/**
 * Checks a request's signature (version 4, in the header).
 * @throws S3Failure 403, or 400 for another region
 */
export function checkSignature(request: HttpRequest, rules: S3SignatureRules): S3Signature {
  const { authorization = '' } = request.headers
  if (authorization === '') throw new S3Failure(403, 'AccessDenied', 'Access Denied.')
  const match = HEADER.exec(authorization)
  if (match === null) throw new S3Failure(400, 'AuthorizationHeaderMalformed')
  const [, accessKeyId, day, region, signedHeaders, signature] = match as unknown as Record<number, string> &
    string[]
  if (accessKeyId !== rules.accessKeyId) throw new S3Failure(403, 'InvalidAccessKeyId')
  if (region !== rules.region) {
    const message = `The authorization header is malformed; the region '${region}' is wrong; expecting '${rules.region}'`
    throw new S3Failure(400, 'AuthorizationHeaderMalformed', message, {
      'x-amz-bucket-region': rules.region,
    })
  }
  const date = header(request, 'x-amz-date')
  const apart = Math.abs(rules.now.getTime() - timeOf(date))
  if (!(apart <= MAX_SKEW_MS)) {
    throw new S3Failure(
      403,
      'RequestTimeTooSkewed',
      'The difference between the request time and the current time is too large.',
    )
  }
  const names = signedHeaders!.split(';')
  for (const name of Object.keys(request.headers)) {
    if ((name === 'host' || name.startsWith('x-amz-')) && !names.includes(name))
      throw new S3Failure(403, 'AccessDenied', `There were headers present which were not signed: ${name}`)
  }
  const [path, query = ''] = request.target.split('?') as [string, string?]
  const canonical = [
    request.method,
    path,
    canonicalQuery(query),
    ...names.map((name) => `${name}:${header(request, name).trim().replaceAll(/ +/g, ' ')}`),
    '',
    signedHeaders!,
    header(request, 'x-amz-content-sha256'),
  ].join('\n')
  const scope = `${day}/${region}/s3/aws4_request`
  const key = [day!, region!, 's3', 'aws4_request'].reduce<Buffer | string>(
    (secret, part) => hmac(secret, part),
    `AWS4${rules.secretAccessKey}`,
  ) as Buffer
  const expected = hmac(key, ['AWS4-HMAC-SHA256', date, scope, sha256(canonical)].join('\n')).toString('hex')
  if (expected !== signature) {
    throw new S3Failure(
      403,
      'SignatureDoesNotMatch',
      'The request signature we calculated does not match the signature you provided.',
    )
  }
  return { key, date, scope, signature: expected }
}

/** The signature of the next chunk of a body, or of its trailer. */
export function chunkSignature(
  previous: S3Signature,
  bytes: Uint8Array,
  what: 'PAYLOAD' | 'TRAILER',
): string {
  const { key, date, scope, signature } = previous
  const parts = [`AWS4-HMAC-SHA256-${what}`, date, scope, signature]
  if (what === 'PAYLOAD') parts.push(sha256(''))
  return hmac(key, [...parts, sha256(bytes)].join('\n')).toString('hex')
}

function header(request: HttpRequest, name: string): string {
  const value = request.headers[name]
  return Array.isArray(value) ? value.join(',') : (value ?? '')
}

function timeOf(date: string): number {
  const [, y, m, d, h, min, s] = /^(\d{4})(\d\d)(\d\d)T(\d\d)(\d\d)(\d\d)Z$/.exec(date) ?? []
  return Date.parse(`${y}-${m}-${d}T${h}:${min}:${s}Z`)
}

function canonicalQuery(query: string): string {
  if (query === '') return ''
  const pairs = query.split('&').map((pair) => {
    const [name, value = ''] = pair.split('=') as [string, string?]
    return [encode(name), encode(value)] as const
  })
  pairs.sort(([a, x], [b, y]) => (a === b ? (x < y ? -1 : 1) : a < b ? -1 : 1))
  return pairs.map((pair) => pair.join('=')).join('&')
}

function encode(part: string): string {
  return encodeURIComponent(decodeURIComponent(part)).replaceAll(
    /[!'()*]/g,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  )
}

function hmac(key: Buffer | string, text: string): Buffer {
  return createHmac('sha256', key).update(text).digest()
}

function sha256(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('hex')
}
