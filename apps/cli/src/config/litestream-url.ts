import { schemeOf } from '../location.ts'
import { withParameters } from './from-file.ts'
import type { LitestreamReplica } from './litestream-schema.ts'

/** A replica that cannot be said as a URL of ours. `message` follows the key. */
export class NotMapped extends Error {
  override readonly name = 'NotMapped'
  readonly key: keyof LitestreamReplica | undefined

  constructor(key: keyof LitestreamReplica | undefined, message: string) {
    super(message)
    this.key = key
  }
}

interface Mapped {
  readonly url: string
  readonly environment: Readonly<Record<string, string>>
}

/** Which settings become query parameters of the same name, by scheme. */
const PARAMETERS: Readonly<Record<string, readonly (keyof LitestreamReplica)[]>> = {
  s3: [
    'endpoint',
    'region',
    'force-path-style',
    'skip-verify',
    'sign-payload',
    'require-content-md5',
    'storage-class',
    'part-size',
    'concurrency',
    'sse-customer-algorithm',
    'sse-customer-key',
    'sse-kms-key-id',
  ],
  gs: ['endpoint'],
  abs: ['endpoint'],
  sftp: ['key-path', 'host-key'],
}

/** Which settings become variables for the driver, by scheme: secrets do not belong into URLs. */
const VARIABLES: Readonly<Record<string, Partial<Record<keyof LitestreamReplica, string>>>> = {
  s3: { 'access-key-id': 'AWS_ACCESS_KEY_ID', 'secret-access-key': 'AWS_SECRET_ACCESS_KEY' },
  abs: { 'account-key': 'LITESTREAM_AZURE_ACCOUNT_KEY', 'sas-token': 'LITESTREAM_AZURE_SAS_TOKEN' },
}

/** Settings that would change where or how safely bytes are kept, for which there is nothing here. */
const IMPOSSIBLE: readonly (keyof LitestreamReplica)[] = [
  'sse-customer-key-path',
  'jwt',
  'seed',
  'creds',
  'nkey',
  'token',
  'tls',
  'root-cas',
  'client-cert',
  'client-key',
]

/** The URL and the variables of a replica. @throws NotMapped */
export function replicaURL(replica: LitestreamReplica): Mapped {
  for (const key of IMPOSSIBLE) {
    if (replica[key] !== undefined) throw new NotMapped(key, 'cannot be done yet')
  }
  const base = baseURL(replica)
  const scheme = (schemeOf(base) ?? 'file').replace(/^webdavs$/, 'webdav')
  const parameters = (PARAMETERS[scheme] ?? []).flatMap((key): [string, string][] =>
    replica[key] === undefined
      ? []
      : [[key, key === 'part-size' ? bytesOf(replica[key]) : String(replica[key])]],
  )
  // What the URL says itself goes first, as in Litestream.
  const { duplicates } = withParameters(base, parameters)
  const { url } = withParameters(
    base,
    parameters.filter(([name]) => !duplicates.includes(name)),
  )
  const environment = Object.entries(VARIABLES[scheme] ?? {}).flatMap(([key, name]): [string, string][] => {
    const value = replica[key as keyof LitestreamReplica]
    return value === undefined ? [] : [[name, String(value)]]
  })
  return { url, environment: Object.fromEntries(environment) }
}

function baseURL(replica: LitestreamReplica): string {
  const { url, path, type } = replica
  if (url !== undefined) {
    const also = (['path', 'bucket', 'host', 'webdav-url'] as const).find((key) => replica[key] !== undefined)
    if (also !== undefined) throw new NotMapped(also, 'cannot be given beside url')
    return withUser(url, replica)
  }
  if (path !== undefined && schemeOf(path) !== undefined) throw new NotMapped('path', 'is a URL: name it url')
  switch (type ?? 'file') {
    case 'file':
      return needed(replica, 'path')
    case 's3':
    case 'gs':
      return `${type}://${needed(replica, 'bucket')}${joined(path)}`
    case 'abs': {
      const account = replica['account-name']
      const user = account === undefined ? '' : `${encodeURIComponent(account)}@`
      return `abs://${user}${needed(replica, 'bucket')}${joined(path)}`
    }
    case 'sftp':
      // Below the login folder is one slash, from the top are two.
      return withUser(`sftp://${needed(replica, 'host')}/${path ?? ''}`, replica)
    case 'webdav': {
      const place = needed(replica, 'webdav-url').replace(/^http(s?):/, 'webdav$1:')
      return withUser(place.replace(/\/+$/, '') + joined(path), replica)
    }
    case 'nats':
      throw new NotMapped('type', 'needs url, as nats://host:port/bucket')
    case 'oss':
      throw new NotMapped('type', 'has no driver here; Alibaba Cloud OSS has an S3 endpoint too')
  }
}

/** User and password of the settings, where the URL has none. */
function withUser(url: string, replica: LitestreamReplica): string {
  const scheme = schemeOf(url) ?? ''
  const [user, password] = scheme.startsWith('webdav')
    ? [replica['webdav-username'], replica['webdav-password']]
    : scheme === 'sftp'
      ? [replica.user, replica.password]
      : scheme === 'nats'
        ? [replica.username, replica.password]
        : []
  const rest = url.slice(scheme.length + 3)
  if (user === undefined || /^[^/?#]*@/.test(rest)) return url
  const secret = password === undefined ? '' : `:${encodeURIComponent(password)}`
  return `${scheme}://${encodeURIComponent(user)}${secret}@${rest}`
}

function needed(replica: LitestreamReplica, key: 'path' | 'bucket' | 'host' | 'webdav-url'): string {
  const value = replica[key]
  if (value === undefined || value === '') throw new NotMapped(undefined, `needs ${key}`)
  return value
}

function joined(path: string | undefined): string {
  const inside = (path ?? '').replace(/^\/+/, '')
  return inside === '' ? '' : `/${inside}`
}

const UNIT_BYTES: Readonly<Record<string, number>> = {
  '': 1,
  b: 1,
  kb: 1e3,
  mb: 1e6,
  gb: 1e9,
  kib: 2 ** 10,
  mib: 2 ** 20,
  gib: 2 ** 30,
}

/** `5MiB`, `5MB` or a number as bytes. @throws NotMapped */
function bytesOf(size: string | number | undefined): string {
  const [, number, unit = ''] = /^(\d+)\s*([kmg]?i?b?)$/i.exec(String(size)) ?? []
  const factor = UNIT_BYTES[unit.toLowerCase()]
  if (number === undefined || factor === undefined)
    throw new NotMapped('part-size', 'expected a size such as 5MiB')
  return String(Number(number) * factor)
}
