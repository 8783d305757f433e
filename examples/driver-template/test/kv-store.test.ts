import { type AddressInfo, createServer } from 'node:net'
import { describeConformance } from '@sqlstream/storage-conformance'
import { afterAll, describe, expect, it, test } from 'vitest'
import { driver, KVStore } from '../src/index.ts'
import { KVServer } from './kv-server.ts'

const token = 'a-secret-token'
const server = await KVServer.start(token)
const { endpoint } = server
afterAll(() => server[Symbol.asyncDispose]())

describeConformance({ describe, it }, 'KVStore', {
  open: async () => new KVStore({ endpoint, token }),
  openDenied: async () => new KVStore({ endpoint, token: `not-${token}` }),
  // Nothing listens on port 1.
  openUnreachable: async () => new KVStore({ endpoint: 'http://127.0.0.1:1', token }),
  secrets: [token],
})

describe('the driver', () => {
  test('opens a place by its URL, with the token of the variables', async () => {
    const url = new URL(`kv://${server.host}/some/place`)
    await using store = await driver.open(url, { environment: { KV_TOKEN: token } })
    await store.put('key', Uint8Array.of(1))
    expect(server.keys).toEqual(['some/place/key'])
  })

  test.each([
    ['kv://user:hunter2@host', 'has a user'],
    ['kv://host/a?tsl=true', 'unknown parameter "tsl"'],
    ['kv://host/a?tls=maybe', 'neither true nor false'],
    ['kv://host/a%20b', 'no prefix of keys'],
  ])('refuses %s', async (url, problem) => {
    const error = await driver.open(new URL(url)).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'invalid-config', message: expect.stringContaining(problem) })
    expect(String(error)).not.toContain('hunter2')
  })

  test('gives up on a service that takes requests and never answers', async () => {
    const silent = createServer()
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    const { port } = silent.address() as AddressInfo
    const store = new KVStore({ endpoint: `http://127.0.0.1:${port}`, token, limitMs: 20 })
    await expect(store.head('key')).rejects.toMatchObject({ code: 'timeout', transient: true })
    silent.close()
  })
})
