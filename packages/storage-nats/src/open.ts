import { readFile } from 'node:fs/promises'
import type { ConnectionOptions } from '@nats-io/transport-node'
import {
  type AbortOptions,
  type BlobStore,
  type StorageDriver,
  withinTime,
  withPrefix,
} from '@sqlstream/storage'
import { Bucket } from './bucket.ts'
import { DRIVER, failure, translateError } from './nats-errors.ts'
import { NATSStore } from './nats-store.ts'
import { type NATSStoreOptions, natsOptions } from './options.ts'

/** Of an object's messages; the custom of the object store. A server may allow less. */
const CHUNK_SIZE = 128 * 1024

/** `nats://HOST:PORT/BUCKET`; all of it in `natsOptions`. */
export const natsDriver: StorageDriver = {
  name: DRIVER,
  schemes: ['nats'],
  open: async (url, options) => openNATSStore(natsOptions(url, options?.environment ?? process.env), options),
}

/**
 * Connects to a server. Loads the client first. The connection comes back by itself whenever the server does.
 * @throws StorageError 'permission-denied', 'unavailable' or 'timeout' when that fails, 'invalid-config' for an unreadable
 * credentials file
 * @throws RangeError when `timeoutMs` is not an integer from 1
 */
export async function openNATSStore(
  options: NATSStoreOptions,
  { signal }: AbortOptions = {},
): Promise<BlobStore> {
  const { timeoutMs = 10_000, bucket, prefix } = options
  if (!Number.isSafeInteger(timeoutMs) || timeoutMs < 1)
    throw new RangeError(`timeoutMs ${timeoutMs} is not an integer from 1`)
  signal?.throwIfAborted()
  const settings = await connectionOptions(options, timeoutMs)
  const context = { operation: 'open' } as const
  const store = await withinTime(
    { limitMs: timeoutMs, signal, fields: { driver: DRIVER, ...context } },
    async () => {
      const [{ connect }, { jetstream, jetstreamManager }] = await Promise.all([
        import('@nats-io/transport-node'),
        import('@nats-io/jetstream'),
      ])
      try {
        const connection = await connect(settings)
        // Whether there is JetStream and the bucket shows with the first call, as a missing bucket does.
        const jsm = await jetstreamManager(connection, { checkAPI: false, timeout: timeoutMs })
        const js = jetstream(connection, { timeout: timeoutMs })
        const chunkSize = Math.min(CHUNK_SIZE, connection.info?.max_payload ?? CHUNK_SIZE)
        return new NATSStore(connection, new Bucket({ js, jsm, bucket, timeoutMs, chunkSize }))
      } catch (error) {
        throw translateError(error, context)
      }
    },
  )
  return prefix ? withPrefix(store, prefix) : store
}

async function connectionOptions(options: NATSStoreOptions, timeoutMs: number): Promise<ConnectionOptions> {
  const { servers, user, password, token, credentials, tls } = options
  return {
    servers: typeof servers === 'string' ? servers : [...servers],
    name: 'sqlstream',
    timeout: timeoutMs,
    maxReconnectAttempts: -1,
    ...(user === undefined ? {} : { user, pass: password ?? '' }),
    ...(token === undefined ? {} : { token }),
    ...(tls === true ? { tls: {} } : {}),
    ...(credentials === undefined ? {} : { authenticator: await readCredentials(credentials) }),
  }
}

async function readCredentials(path: string): Promise<NonNullable<ConnectionOptions['authenticator']>> {
  const { credsAuthenticator } = await import('@nats-io/transport-node')
  try {
    return credsAuthenticator(await readFile(path))
  } catch (cause) {
    const code = Reflect.get(Object(cause), 'code') ?? 'not a credentials file'
    throw failure({ operation: 'open' }, 'invalid-config', `the credentials file cannot be read: ${code}`)
  }
}
