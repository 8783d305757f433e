import { inspect } from 'node:util'
import type { StorageError } from '@sqlstream/storage'
import { startNATS } from '@sqlstream/testkit/servers'
import { describe, expect, test } from 'vitest'
import { type NATSStoreOptions, natsDriver, natsOptions, openNATSStore } from '../src/index.ts'
import { address, newBucket, reason } from './nats.ts'

type Env = Parameters<typeof natsOptions>[1]

const place = { servers: 'host:4222', bucket: 'box', prefix: '', tls: false }

describe('what a URL and the environment mean', () => {
  test.each<[url: string, env: Env, options: NATSStoreOptions]>([
    ['nats://host/box', {}, place],
    ['nats://host:5222/box/', {}, { ...place, servers: 'host:5222' }],
    ['nats://[::1]:5222/box', {}, { ...place, servers: '[::1]:5222' }],
    ['nats://host/box/app/a-b', {}, { ...place, prefix: 'app/a-b/' }],
    ['nats://host/box?tls=true', {}, { ...place, tls: true }],
    ['nats://me:p%40ss@host/box', {}, { ...place, user: 'me', password: 'p@ss' }],
    ['nats://token@host/box', {}, { ...place, token: 'token' }],
    ['nats://me@host/box', { NATS_PASSWORD: 'secret' }, { ...place, user: 'me', password: 'secret' }],
    [
      'nats://host/box',
      { NATS_USER: 'me', NATS_PASSWORD: 'secret' },
      { ...place, user: 'me', password: 'secret' },
    ],
    ['nats://host/box', { NATS_TOKEN: 'secret' }, { ...place, token: 'secret' }],
    ['nats://host/box', { NATS_CREDS: '/a.creds', NATS_TOKEN: 'x' }, { ...place, credentials: '/a.creds' }],
    [
      'nats://me:mine@host/box',
      { NATS_CREDS: '/a.creds', NATS_USER: 'x' },
      { ...place, user: 'me', password: 'mine' },
    ],
  ])('%s with %o', (url, env, options) => {
    expect(natsOptions(new URL(url), env)).toEqual(options)
  })
})

describe('what is refused', () => {
  test.each([
    ['s3://host/box', /is not a nats: URL/],
    ['nats:///box', /names no server/],
    ['nats://host', /names no bucket/],
    ['nats://host/', /names no bucket/],
    ['nats://host/b.x', /names no bucket/],
    ['nats://host/box/a b', /no prefix of keys/],
    ['nats://host/box/%ff', /broken % escape/],
    ['nats://host/box#x', /has a fragment/],
    ['nats://host/box?tsl=true', /unknown parameter "tsl"/],
    ['nats://host/box?tls=yes', /neither true nor false/],
    ['nats://me:zebra@host/b.x', /names no bucket/],
    ['nats://zebra@host/b.x', /names no bucket/],
  ])('%s', (url, message) => {
    let found: StorageError | undefined
    try {
      natsOptions(new URL(url), {})
    } catch (error) {
      found = error as StorageError
    }
    expect(found).toMatchObject({ code: 'invalid-config', driver: 'nats', operation: 'open' })
    expect(found!.message).toMatch(message)
    expect(inspect(found, { depth: 9, showHidden: true })).not.toContain('zebra')
  })

  test('options that make no sense', async () => {
    await expect(openNATSStore({ servers: 'host', bucket: 'box', timeoutMs: 0 })).rejects.toThrow(RangeError)
    const missing = openNATSStore({ servers: 'host', bucket: 'box', credentials: '/no/such.creds' })
    await expect(missing).rejects.toMatchObject({ code: 'invalid-config' })
    await expect(missing).rejects.toThrow('ENOENT')
    const stop = new Error('enough')
    const aborted = openNATSStore({ servers: 'host', bucket: 'box' }, { signal: AbortSignal.abort(stop) })
    await expect(aborted).rejects.toBe(stop)
  })

  test('a server that is not there', async () => {
    const opening = natsDriver.open(new URL('nats://zebra:zebra@127.0.0.1:1/box'), { environment: {} })
    const error = await opening.catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'unavailable', transient: true, operation: 'open' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('zebra')
  })
})

describe.skipIf(reason !== undefined)(reason ?? 'signing in', () => {
  test('the driver opens a bucket by URL', async () => {
    const { bucket } = await newBucket()
    await using store = await natsDriver.open(new URL(`nats://${address}/${bucket}/app`))
    await store.put('a', Uint8Array.of(1))
    await using whole = await natsDriver.open(new URL(`nats://${address}/${bucket}`))
    expect((await whole.head('app/a')).size).toBe(1)
    expect(natsDriver).toMatchObject({ name: store.driver, schemes: ['nats'] })
  })

  test.each([
    [['--user', 'me', '--pass', 'right'], 'me:right', 'me:zebra'],
    [['--auth', 'right'], 'right', 'zebra'],
  ])('with %o only who may', async (args, right, wrong) => {
    await using guarded = await startNATS(args)
    const url = (user: string) => new URL(`nats://${user}@${guarded.address}/box`)
    await using store = await natsDriver.open(url(right))
    await expect(store.head('a')).rejects.toMatchObject({
      code: 'not-found',
      hint: expect.stringContaining('bucket'),
    })
    const error = await natsDriver.open(url(wrong)).catch((reason: unknown) => reason)
    expect(error).toMatchObject({ code: 'permission-denied', transient: false, operation: 'open' })
    expect(inspect(error, { depth: 9, showHidden: true })).not.toContain('zebra')
  })
})
