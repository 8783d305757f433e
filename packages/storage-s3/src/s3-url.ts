import { createHash } from 'node:crypto'
import { isKey, redactUrl, StorageError, urlParameters } from '@sqlstream/storage'
import { DRIVER } from './errors.ts'
import { hostForm, isPrivate, withScheme } from './host-forms.ts'
import type { S3Credentials, S3Encryption, S3StoreOptions } from './options.ts'

/** What an `s3://` URL names: a bucket, how to reach it, and a prefix in it. */
export interface S3Location {
  readonly options: S3StoreOptions
  /** Empty, or a key with a slash at its end. */
  readonly prefix: string
}

type Environment = Readonly<Record<string, string | undefined>>

/** Names as Litestream has them; each may also be written with hyphens. The last four are ours. */
const NAMES = [
  'endpoint',
  'region',
  'forcePathStyle',
  'skipVerify',
  'signPayload',
  'requireContentMD5',
  'storageClass',
  'partSize',
  'concurrency',
  'sseCustomerAlgorithm',
  'sseCustomerKey',
  'sseCustomerKeyMD5',
  'sseKmsKeyId',
  'profile',
  'conditionalPut',
  'conditionalCopy',
  'parallelism',
] as const

type Name = (typeof NAMES)[number]

const HYPHENATED: ReadonlyMap<string, Name> = new Map(
  NAMES.map((name) => [name.replaceAll(/MD5|[A-Z]/g, (part) => `-${part.toLowerCase()}`), name]),
)
const KNOWN: readonly string[] = [...new Set([...NAMES, ...HYPHENATED.keys()])]

const MIB = 2 ** 20
const MIN_PART = 5 * MIB
const MAX_PART = 5 * 2 ** 30

/**
 * Reads an `s3://` URL as Litestream does, and the environment for what it does not say. Text may have an ARN with colons as its
 * host; in a URL they are `%3A`.
 * @throws StorageError 'invalid-config'
 */
export function s3Location(input: URL | string, environment: Environment): S3Location {
  const url = parse(input)
  if (url.protocol !== 's3:') throw invalid(url, 'is not an s3:// URL')
  if (url.username !== '' || url.password !== '') {
    const hint = 'Put keys into AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.'
    throw invalid(url, 'has a user or a password', hint)
  }
  if (url.hash !== '') throw invalid(url, 'has a fragment')
  const values = valuesOf(url)
  const { bucket, region, endpoint: hostEndpoint, path } = bucketOf(url, values.get('endpoint'))
  const endpoint = endpointOf(url, values.get('endpoint') ?? hostEndpoint ?? configuredEndpoint(environment))
  const encryption = encryptionOf(url, values, endpoint)
  const options: S3StoreOptions = {
    bucket,
    endpoint,
    region: values.get('region') ?? region,
    defaultRegion: environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'],
    forcePathStyle: booleanOf(url, values, 'forcePathStyle'),
    credentials: litestreamCredentials(environment),
    profile: values.get('profile'),
    skipVerify: booleanOf(url, values, 'skipVerify'),
    signPayload: booleanOf(url, values, 'signPayload'),
    requireContentMD5: booleanOf(url, values, 'requireContentMD5'),
    storageClass: values.get('storageClass'),
    encryption,
    partSize: integerOf(url, values, 'partSize', MIN_PART, MAX_PART),
    concurrency: integerOf(url, values, 'concurrency', 1, 1000),
    parallelism: integerOf(url, values, 'parallelism', 1, 1000),
    conditionalPut: booleanOf(url, values, 'conditionalPut'),
    conditionalCopy: booleanOf(url, values, 'conditionalCopy'),
  }
  return { options: withoutUndefined(options), prefix: prefixOf(url, path) }
}

function parse(input: URL | string): URL {
  if (input instanceof URL) return input
  const text = input.replace(
    /^s3:\/\/arn:[^/]*/i,
    (host) => host.slice(0, 5) + host.slice(5).replaceAll(':', '%3A'),
  )
  try {
    return new URL(text)
  } catch {
    throw new StorageError(`${redactUrl(input)} is not a URL`, {
      code: 'invalid-config',
      driver: DRIVER,
      operation: 'open',
    })
  }
}

function valuesOf(url: URL): ReadonlyMap<Name, string> {
  const values = new Map<Name, string>()
  for (const [given, value] of urlParameters(url, KNOWN, DRIVER)) {
    const name = HYPHENATED.get(given) ?? (given as Name)
    if (values.has(name)) throw invalid(url, `has ${name} twice`)
    if (value === '') throw invalid(url, `has a ${name} without a value`)
    values.set(name, value)
  }
  return values
}

function bucketOf(
  url: URL,
  endpoint: string | undefined,
): { bucket: string; region?: string; endpoint?: string; path: string } {
  const host = decodeURIComponent(url.hostname)
  if (host === '') throw invalid(url, 'names no bucket')
  if (host.startsWith('arn:')) {
    const [, , service, region = '', , kind] = host.split(':')
    const [, name, path = ''] = /^\/([^/]+)(.*)$/.exec(url.pathname) ?? []
    if (service !== 's3' || kind !== 'accesspoint' || region === '' || name === undefined)
      throw invalid(url, 'has an ARN that is not one of an access point in a region')
    return { bucket: `${host}/${name}`, region, path }
  }
  if (endpoint !== undefined) {
    if (url.port !== '') throw invalid(url, 'has a port in its bucket, and an endpoint')
    return { bucket: host, path: url.pathname }
  }
  const form = hostForm(host, url.port)
  if (url.port !== '' && form.endpoint === undefined)
    throw invalid(url, 'has a port but no bucket before its host')
  return { ...form, path: url.pathname }
}

function configuredEndpoint(environment: Environment): string | undefined {
  return (
    environment['LITESTREAM_S3_ENDPOINT'] ||
    environment['AWS_ENDPOINT_URL_S3'] ||
    environment['AWS_ENDPOINT_URL'] ||
    undefined
  )
}

function endpointOf(url: URL, endpoint: string | undefined): string | undefined {
  if (endpoint === undefined) return undefined
  try {
    const parsed = new URL(withScheme(endpoint))
    const isPlain = parsed.username === '' && parsed.search === '' && parsed.hash === ''
    if (/^https?:$/.test(parsed.protocol) && isPlain) return parsed.href.replace(/\/$/, '')
  } catch {
    // Said below.
  }
  throw invalid(url, 'has an endpoint that is not https://host[:port][/path]')
}

function prefixOf(url: URL, path: string): string {
  let key: string
  try {
    key = decodeURIComponent(path).split('/').filter(Boolean).join('/')
  } catch {
    throw invalid(url, 'has a path that cannot be decoded')
  }
  if (key === '') return ''
  if (!isKey(key)) {
    const hint = 'Use letters, digits, ".", "_" and "-" between slashes.'
    throw invalid(url, `has a path that is no prefix of keys`, hint)
  }
  return `${key}/`
}

function encryptionOf(
  url: URL,
  values: ReadonlyMap<Name, string>,
  endpoint: string | undefined,
): S3Encryption | undefined {
  const key = values.get('sseCustomerKey')
  const keyId = values.get('sseKmsKeyId')
  const algorithm = values.get('sseCustomerAlgorithm')
  const digest = values.get('sseCustomerKeyMD5')
  if (key === undefined) {
    if (algorithm !== undefined || digest !== undefined) throw invalid(url, 'has no sseCustomerKey')
    return keyId === undefined ? undefined : { kind: 'kms', keyId }
  }
  if (keyId !== undefined) throw invalid(url, 'has both sseCustomerKey and sseKmsKeyId')
  if (algorithm !== undefined && algorithm !== 'AES256')
    throw invalid(url, 'has an sseCustomerAlgorithm that is not AES256')
  // A plus in a query is a space.
  const base64 = key.replaceAll(' ', '+')
  const bytes = Buffer.from(base64, 'base64')
  if (bytes.length !== 32 || bytes.toString('base64') !== base64)
    throw invalid(url, 'has an sseCustomerKey that is not 32 bytes in base64')
  if (
    digest !== undefined &&
    digest.replaceAll(' ', '+') !== createHash('md5').update(bytes).digest('base64')
  )
    throw invalid(url, 'has an sseCustomerKeyMD5 that is not that of the key')
  if (endpoint?.startsWith('http:') === true && !isPrivate(new URL(endpoint).hostname))
    throw invalid(url, 'would send sseCustomerKey without encryption', 'Use an https:// endpoint.')
  return { kind: 'customer', key: base64 }
}

/** Litestream's own names count where AWS's are not set; those the SDK reads itself. */
function litestreamCredentials(environment: Environment): S3Credentials | undefined {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID'] || environment['LITESTREAM_ACCESS_KEY_ID']
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY'] || environment['LITESTREAM_SECRET_ACCESS_KEY']
  const isAll = Boolean(environment['AWS_ACCESS_KEY_ID'] && environment['AWS_SECRET_ACCESS_KEY'])
  if (isAll || !accessKeyId || !secretAccessKey) return undefined
  return { accessKeyId, secretAccessKey }
}

function booleanOf(url: URL, values: ReadonlyMap<Name, string>, name: Name): boolean | undefined {
  const value = values.get(name)?.toLowerCase()
  if (value === undefined) return undefined
  if (['true', '1', 't', 'yes'].includes(value)) return true
  if (['false', '0', 'f', 'no'].includes(value)) return false
  throw invalid(url, `has a ${name} that is neither true nor false`)
}

function integerOf(
  url: URL,
  values: ReadonlyMap<Name, string>,
  name: Name,
  least: number,
  most: number,
): number | undefined {
  const text = values.get(name)
  if (text === undefined) return undefined
  const value = Number(text)
  if (!/^\d+$/.test(text) || value < least || value > most)
    throw invalid(url, `has a ${name} that is not an integer from ${least} to ${most}`)
  return value
}

function withoutUndefined(options: S3StoreOptions): S3StoreOptions {
  const entries = Object.entries(options).filter(([, value]) => value !== undefined)
  return Object.fromEntries(entries) as unknown as S3StoreOptions
}

function invalid(url: URL, problem: string, hint?: string): StorageError {
  return new StorageError(`${redactUrl(url)} ${problem}`, {
    code: 'invalid-config',
    driver: DRIVER,
    operation: 'open',
    hint,
  })
}
