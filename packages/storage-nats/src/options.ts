import { isKeyPrefix, redactUrl, StorageError, urlParameters } from '@sqlstream/storage'
import { DRIVER } from './nats-errors.ts'

/** Where the objects are, and as whom to ask for them. */
export interface NATSStoreOptions {
  /** `host:port` of one or more servers of a cluster. */
  readonly servers: string | readonly string[]
  /** Name of the object store; it must exist. */
  readonly bucket: string
  /** All keys are below it; empty or a legal key with a slash at its end. Default: empty. */
  readonly prefix?: string | undefined
  readonly user?: string | undefined
  readonly password?: string | undefined
  readonly token?: string | undefined
  /** Path of a credentials file (JWT and seed), as `nsc` makes it. */
  readonly credentials?: string | undefined
  /** Refuse a server without TLS. A server that demands it gets it anyway. Default: false. */
  readonly tls?: boolean | undefined
  /** Milliseconds, from 1, that a request may take. Default: 10,000. */
  readonly timeoutMs?: number | undefined
}

/** What `natsOptions` looks at: `process.env` fits. */
export type Environment = Readonly<Record<string, string | undefined>>

/**
 * The options that a URL and the environment give: `nats://[USER:PASSWORD@|TOKEN@]HOST[:PORT]/BUCKET[/PATH][?tls=true]`, with
 * `NATS_USER`, `NATS_PASSWORD`, `NATS_TOKEN` and `NATS_CREDS` for what the URL does not say.
 * @throws StorageError 'invalid-config', without any secret
 */
export function natsOptions(url: URL, env: Environment): NATSStoreOptions {
  const refuse = (problem: string, hint?: string): StorageError =>
    new StorageError(`${redactUrl(url)} ${problem}`, {
      code: 'invalid-config',
      driver: DRIVER,
      operation: 'open',
      hint,
    })
  if (url.protocol !== 'nats:') throw refuse('is not a nats: URL')
  if (url.hostname === '') throw refuse('names no server', 'Write nats://HOST:4222/BUCKET.')
  if (url.hash !== '') throw refuse('has a fragment', 'Write # as %23.')
  const tls = urlParameters(url, ['tls'], DRIVER).get('tls') ?? 'false'
  if (tls !== 'true' && tls !== 'false') throw refuse('has a tls that is neither true nor false')
  const [bucket = '', ...folders] = decode(url.pathname, refuse)
    .split('/')
    .filter((each) => each !== '')
  if (!/^[-\w]+$/.test(bucket))
    throw refuse('names no bucket', 'Write nats://HOST:4222/BUCKET; it has letters, digits, _ and -.')
  const prefix = folders.map((folder) => `${folder}/`).join('')
  if (!isKeyPrefix(prefix))
    throw refuse('has a path that is no prefix of keys', 'Use letters, digits, ".", "_" and "-".')
  return {
    servers: `${url.hostname}:${url.port || 4222}`,
    bucket,
    prefix,
    tls: tls === 'true',
    ...credentialsOf(decode(url.username, refuse), decode(url.password, refuse), env),
  }
}

/** The URL goes before the environment; a name without a password is a token, as everywhere in NATS. */
function credentialsOf(user: string, password: string, env: Environment): Partial<NATSStoreOptions> {
  if (user !== '' && password !== '') return { user, password }
  if (user !== '' && env['NATS_PASSWORD']) return { user, password: env['NATS_PASSWORD'] }
  if (user !== '') return { token: user }
  if (env['NATS_CREDS']) return { credentials: env['NATS_CREDS'] }
  if (env['NATS_TOKEN']) return { token: env['NATS_TOKEN'] }
  return env['NATS_USER'] ? { user: env['NATS_USER'], password: env['NATS_PASSWORD'] ?? '' } : {}
}

function decode(text: string, refuse: (problem: string) => StorageError): string {
  try {
    return decodeURIComponent(text)
  } catch {
    throw refuse('has a broken % escape')
  }
}
