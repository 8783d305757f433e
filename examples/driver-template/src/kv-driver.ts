import {
  isKeyPrefix,
  redactUrl,
  type StorageDriver,
  StorageError,
  urlParameters,
  withPrefix,
} from '@sqlstream/storage'
import { DRIVER } from './kv-errors.ts'
import { KVStore } from './kv-store.ts'

/** `kv://host:port/prefix?tls=true`, with the token in the variable `KV_TOKEN`. Sends nothing until the store is used. */
export const kvDriver: StorageDriver = {
  name: DRIVER,
  schemes: ['kv'],
  async open(url, options = {}) {
    options.signal?.throwIfAborted()
    // The configuration may give each database variables of its own.
    const { environment = process.env } = options
    const refuse = (problem: string, hint?: string): StorageError =>
      new StorageError(`${redactUrl(url)} ${problem}`, {
        code: 'invalid-config',
        driver: DRIVER,
        operation: 'open',
        hint,
      })
    if (url.host === '') throw refuse('names no host', 'Write kv://host:port/prefix.')
    if (url.username !== '' || url.password !== '') throw refuse('has a user', 'Put the token into KV_TOKEN.')
    const tls = urlParameters(url, ['tls'], DRIVER).get('tls') ?? 'false'
    if (tls !== 'true' && tls !== 'false') throw refuse('has a tls that is neither true nor false')
    const prefix = url.pathname
      .split('/')
      .filter(Boolean)
      .map((segment) => `${segment}/`)
      .join('')
    if (!isKeyPrefix(prefix)) throw refuse('has a path that is no prefix of keys')
    const store = new KVStore({
      endpoint: `${tls === 'true' ? 'https' : 'http'}://${url.host}`,
      token: environment['KV_TOKEN'],
    })
    return prefix === '' ? store : withPrefix(store, prefix)
  },
}
