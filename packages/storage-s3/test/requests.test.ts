import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { createServer } from 'node:http'
import {
  type CopyOptions,
  copyBlob,
  discardBody,
  type ETag,
  getBytes,
  isStorageError,
  probeConditionalPut,
} from '@sqlstream/storage'
import { FakeS3, type S3ServiceOptions } from '@sqlstream/testkit/servers'
import { afterEach, describe, expect, test } from 'vitest'
import { S3Store, type S3StoreOptions } from '../src/index.ts'
import { localOptions, OTHERS } from './conformance-options.ts'

const PART = 1000
const absent = { precondition: { kind: 'absent' } } as const

let fake: FakeS3
let store: S3Store

afterEach(async () => {
  await store?.[Symbol.asyncDispose]()
  await fake[Symbol.asyncDispose]()
})

async function start(options: S3ServiceOptions = {}, more: Partial<S3StoreOptions> = {}): Promise<void> {
  fake = await FakeS3.start({ minPartBytes: PART, ...options })
  store = await S3Store.open(localOptions(fake.url, { partSize: PART, ...more }))
}

function objects(): string[] {
  return [...fake.bucket('bucket').objects.keys()]
}

function bytes(size: number): Uint8Array {
  return new Uint8Array(size).map((_, i) => i % 251)
}

describe('the number of requests', () => {
  test('is one for a small put, conditional or not, a head, and a get', async () => {
    await start()
    const { etag } = await store.put('a', bytes(10))
    await store.put('b', bytes(10), absent)
    await store.put('a', bytes(11), { precondition: { kind: 'match', etag } })
    await store.put('c', {
      open: async function* () {
        yield bytes(10)
      },
    })
    expect(fake.traffic().requests).toBe(4)
    fake.plan()
    await store.head('a')
    await getBytes(store, 'a')
    await getBytes(store, 'a', { range: { suffix: 3 } })
    expect(fake.traffic().requests).toBe(3)
  })

  test('is three for a listing of 2,500, and as many for their deletion', async () => {
    await start()
    const object = { bytes: Buffer.from('x'), etag: '"e"', modified: new Date(0), headers: {} }
    const keys = Array.from({ length: 2500 }, (_, i) => `k${String(i).padStart(4, '0')}`)
    for (const key of keys) fake.bucket('bucket').objects.set(key, object)
    const seen: string[] = []
    for await (const { key } of store.list()) seen.push(key)
    expect(seen).toEqual(keys)
    await store.delete([...keys, ...keys])
    expect(objects()).toEqual([])
    expect(fake.traffic('ListObjectsV2').requests).toBe(3)
    expect(fake.traffic('DeleteObjects').requests).toBe(3)
    expect(fake.traffic().requests).toBe(6)
  })

  test('is two and the parts for a large put, and one more with a condition', async () => {
    await start({}, { conditionalComplete: true })
    await store.put('a', bytes(3500))
    expect(fake.traffic().requests).toBe(6)
    fake.plan()
    await store.put('b', bytes(3500), absent)
    expect(fake.traffic().requests).toBe(7)
    fake.plan()
    // Nothing of the body is sent.
    await expect(store.put('b', bytes(3500), absent)).rejects.toMatchObject({ code: 'precondition-failed' })
    expect(fake.traffic()).toMatchObject({ requests: 1, bytesIn: 0 })
  })

  test('is two for a large put with a condition where uploads have none, whatever is known of its size', async () => {
    await start({ conditions: 'put-only' })
    for (const [key, body] of [
      ['a', bytes(3500)],
      [
        'b',
        {
          size: 3500,
          open: async function* () {
            yield bytes(3500)
          },
        },
      ],
      [
        'c',
        {
          open: async function* () {
            yield bytes(3500)
          },
        },
      ],
    ] as const) {
      fake.plan()
      await store.put(key, body, absent)
      expect(fake.traffic().requests).toBe(2)
      expect(await getBytes(store, key)).toEqual(bytes(3500))
    }
  })

  test('of a body of one part and nothing more is one', async () => {
    await start()
    await store.put('a', {
      open: async function* () {
        yield bytes(PART)
      },
    })
    await store.put('b', bytes(PART))
    expect(fake.traffic().requests).toBe(2)
  })
})

describe('what is sent', () => {
  test('has the time for Litestream, the class of storage and the key to encrypt with', async () => {
    const key = Buffer.alloc(32, 7)
    const encryption = { kind: 'customer', key: key.toString('base64') } as const
    await start({}, { storageClass: 'STANDARD_IA', encryption })
    const timestamp = new Date('2024-05-06T07:08:09.500Z')
    await store.put('small', bytes(10), { timestamp })
    await store.put('large', bytes(3500), { timestamp: new Date('2024-05-06T07:08:10.000Z') })
    const { objects: stored } = fake.bucket('bucket')
    const common = {
      'x-amz-storage-class': 'STANDARD_IA',
      'x-amz-server-side-encryption-customer-algorithm': 'AES256',
      'x-amz-server-side-encryption-customer-key-md5': createHash('md5').update(key).digest('base64'),
      'content-type': 'application/octet-stream',
    }
    expect(stored.get('small')?.headers).toMatchObject({
      ...common,
      'x-amz-meta-litestream-timestamp': '2024-05-06T07:08:09.5Z',
    })
    expect(stored.get('large')?.headers).toMatchObject({
      ...common,
      'x-amz-meta-litestream-timestamp': '2024-05-06T07:08:10Z',
    })
    for (const name of ['small', 'large']) {
      await store.head(name)
      expect((await getBytes(store, name)).length).toBeGreaterThan(0)
    }
    await using plain = await S3Store.open(localOptions(fake.url))
    await expect(plain.head('small')).rejects.toThrow()
  })

  test('names the key of the service, if it is to encrypt', async () => {
    await start({}, { encryption: { kind: 'kms', keyId: 'alias/db' } })
    await store.put('a', bytes(10))
    expect(fake.bucket('bucket').objects.get('a')?.headers).toMatchObject({
      'x-amz-server-side-encryption': 'aws:kms',
      'x-amz-server-side-encryption-aws-kms-key-id': 'alias/db',
    })
  })
})

describe('deletes', () => {
  test('T33: one key of a thousand that stays is told, and all others are gone', async () => {
    await start({ undeletable: new Set(['k500']) })
    const keys = Array.from({ length: 1000 }, (_, i) => `k${i}`)
    const object = { bytes: Buffer.from('x'), etag: '"e"', modified: new Date(0), headers: {} }
    for (const key of [...keys, 'other']) fake.bucket('bucket').objects.set(key, object)
    const failing = store.delete(keys)
    await expect(failing).rejects.toMatchObject({
      code: 'permission-denied',
      key: 'k500',
      operation: 'delete',
    })
    await expect(failing).rejects.toThrow(/^1 of 1000 keys could not be deleted/)
    expect(objects()).toEqual(['k500', 'other'])
  })

  test('go one by one after a service refused a batch once', async () => {
    await start({ batchDelete: 'refused' })
    for (const key of ['a', 'b', 'c', 'd']) await store.put(key, bytes(1))
    fake.plan()
    await store.delete(['a', 'b'])
    await store.delete(['c', 'd', 'e'])
    expect(objects()).toEqual([])
    expect(fake.traffic('DeleteObjects').requests).toBe(1)
    expect(fake.traffic('DeleteObject').requests).toBe(5)
  })

  test('carry Content-MD5, or CRC32 where that is asked for', async () => {
    await start({ batchDelete: 'md5-only' })
    await store.delete(['a', 'b'])
    await using other = await S3Store.open(localOptions(fake.url, { requireContentMD5: false }))
    await expect(other.delete(['a', 'b'])).rejects.toMatchObject({ code: 'unknown' })
  })
})

describe('a service that does not honour conditions', () => {
  test('is found out by the probe when it ignores them', async () => {
    await start({ conditions: 'ignored' })
    const report = await probeConditionalPut(store)
    expect(report).toMatchObject({ honoured: false, createOnly: false })
    expect(objects()).toEqual([])
  })

  test('is found out by the probe when it refuses them', async () => {
    await start({ conditions: 'refused' })
    expect(await probeConditionalPut(store)).toMatchObject({ honoured: false })
    await expect(store.put('a', bytes(1), absent)).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('passes the probe when it does', async () => {
    await start()
    expect(await probeConditionalPut(store, { thorough: true })).toMatchObject({
      honoured: true,
      races: 'one-winner',
    })
  })

  test('gets none, and the caller a hint', async () => {
    await start({}, { conditionalPut: false })
    const error: unknown = await store.put('a', bytes(1), absent).catch((caught: unknown) => caught)
    expect(isStorageError(error, 'unsupported') && error.hint).toMatch(/conditionalPut=true/)
    expect(fake.traffic().requests).toBe(0)
  })
})

describe('regions', () => {
  const credentials = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'canary-secret-key' }

  test('one that nobody gave is found out with the first request', async () => {
    await start({ region: 'eu-west-1', credentials }, { defaultRegion: 'us-east-1' })
    await store.put('a', bytes(1))
    await store.put('b', bytes(1), absent)
    await store.head('a')
    expect(fake.traffic().requests).toBe(4)
  })

  test('a wrong one is an error that names the right one', async () => {
    await start({ region: 'eu-west-1', credentials }, { region: 'us-east-1' })
    await expect(store.put('a', bytes(1))).rejects.toMatchObject({
      code: 'invalid-config',
      hint: 'The bucket is in eu-west-1: set region=eu-west-1.',
    })
  })
})

test('a clock that is wrong by hours is made up for', async () => {
  await start({
    clockAheadMs: 5 * 3_600_000,
    credentials: { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'canary-secret-key' },
  })
  await store.put('a', bytes(1))
  expect(objects()).toEqual(['a'])
})

test('bodies that were read to their end leave their connection to the next', async () => {
  await start()
  let connections = 0
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': 200_000, etag: '"e"' }).end(bytes(200_000))
  })
  server.on('connection', () => {
    connections += 1
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as { port: number }
  await using other = await S3Store.open(localOptions(`http://127.0.0.1:${port}`))
  for (let i = 0; i < 10; i++) expect(await getBytes(other, 'a')).toHaveLength(200_000)
  // One may still be on its way back when the next is asked for.
  expect(connections).toBeLessThan(4)
  server.close()
  server.closeAllConnections()
})

test('an ETag is the same from put, head, get and list', async () => {
  await start()
  for (const size of [10, 3500]) {
    const { etag } = await store.put('a', bytes(size))
    expect(etag).not.toContain('"')
    expect((await store.head('a')).etag).toBe(etag)
    const { info, body } = await store.get('a')
    await discardBody(body)
    expect(info.etag).toBe(etag)
    for await (const entry of store.list()) expect(entry.etag).toBe(etag)
  }
})

test('a put with a match on a version that is gone is refused, on a bucket that is gone not found', async () => {
  await start()
  const precondition = { kind: 'match', etag: 'e' as ETag } as const
  await expect(store.put('a', bytes(1), { precondition })).rejects.toMatchObject({
    code: 'precondition-failed',
  })
  await using other = await S3Store.open(localOptions(fake.url, { bucket: 'no-such' }))
  await expect(other.put('a', bytes(1), { precondition })).rejects.toMatchObject({ code: 'not-found' })
})

describe('a copy', () => {
  const HONEST = { conditionalComplete: true, conditionalCopy: true }
  const timestamp = new Date('2026-11-24T03:15:00.000Z')

  function copy(to: string, options: CopyOptions = {}, target = store) {
    return copyBlob({ store, key: 'a' }, { store: target, key: to }, options)
  }

  test('is a HEAD and a CopyObject, and no byte of it comes through here', async () => {
    await start({}, HONEST)
    await store.put('a', bytes(500_000))
    fake.plan()
    expect(await copy('b')).toMatchObject({ key: 'b', size: 500_000 })
    expect(await copy('c', { ...absent, timestamp })).toMatchObject({ key: 'c', size: 500_000 })
    expect(fake.traffic('HeadObject').requests).toBe(2)
    expect(fake.traffic('CopyObject').requests).toBe(2)
    expect(fake.traffic().requests).toBe(4)
    expect(fake.traffic().bytesIn + fake.traffic().bytesOut).toBeLessThan(1000)
  })

  test('has the metadata of a put of its own, not that of its source', async () => {
    await start({}, HONEST)
    await store.put('a', bytes(10), { ...absent, timestamp: new Date(0) })
    const id = (key: string) => fake.bucket('bucket').objects.get(key)?.headers['x-amz-meta-sqlstream-put']
    await copy('b', { timestamp })
    expect(fake.bucket('bucket').objects.get('b')?.headers).toEqual({
      'content-type': 'application/octet-stream',
      'x-amz-meta-litestream-timestamp': '2026-11-24T03:15:00Z',
    })
    await copy('c', absent)
    expect(id('c')).toBeDefined()
    expect(id('c')).not.toBe(id('a'))
  })

  test('is made as the part of an upload where only that keeps a condition, and leaves none behind', async () => {
    await start({}, { conditionalComplete: true })
    await store.put('a', bytes(5 * PART))
    fake.plan()
    expect(await copy('b', absent)).toMatchObject({ key: 'b', size: 5 * PART })
    expect(await getBytes(store, 'b')).toEqual(bytes(5 * PART))
    expect(fake.traffic('UploadPartCopy').requests).toBe(1)
    expect(fake.traffic('CopyObject').requests).toBe(0)
    await expect(copy('b', absent)).rejects.toMatchObject({ code: 'precondition-failed' })
    expect(fake.bucket('bucket').uploads.size).toBe(0)
  })

  test('with a condition is left to the caller without a request where nothing keeps it', async () => {
    await start({ conditions: 'put-only' })
    await store.put('a', bytes(10))
    fake.plan()
    expect(await copy('b', absent)).toBeUndefined()
    expect(fake.traffic().requests).toBe(0)
  })

  test('goes to another bucket of the service, and not to one behind other credentials', async () => {
    await start({ buckets: ['bucket', 'other'] }, HONEST)
    await store.put('a', bytes(10))
    await using other = await S3Store.open(localOptions(fake.url, { bucket: 'other', ...HONEST }))
    expect(await copy('b', absent, other)).toMatchObject({ size: 10 })
    expect(await getBytes(other, 'b')).toEqual(bytes(10))
    await using stranger = await S3Store.open(
      localOptions(fake.url, { bucket: 'other', credentials: OTHERS }),
    )
    fake.plan()
    expect(await copy('c', {}, stranger)).toBeUndefined()
    expect(fake.traffic().requests).toBe(0)
  })

  test.each<[string, S3ServiceOptions, number, string]>([
    ['is too large', { maxCopyBytes: 9 }, 400, 'InvalidRequest'],
    ['may not be read by the service', {}, 403, 'AccessDenied'],
    ['is in a service that has no copies', {}, 501, 'NotImplemented'],
  ])('of what %s is left to the caller', async (_, options, status, code) => {
    await start(options, HONEST)
    await store.put('a', bytes(10))
    if (options.maxCopyBytes === undefined)
      fake.plan([{ request: 'CopyObject', fault: { kind: 'refuse', status, code } }])
    for (const how of [{}, absent]) expect(await copy('b', how)).toBeUndefined()
    expect(objects()).toEqual(['a'])
  })

  test('whose answer is lost is known by its id, and made once', async () => {
    await start({}, { ...HONEST, retry: { pause: async () => {} } })
    await store.put('a', bytes(10))
    const plan = fake.plan([{ request: 'CopyObject', at: 1, fault: { kind: 'drop-answer' } }])
    expect(await copy('b', absent)).toMatchObject({ key: 'b', size: 10 })
    expect(plan.fired).toBe(1)
    fake.plan()
    await expect(copy('b', absent)).rejects.toMatchObject({ code: 'precondition-failed' })
  })

  test('reads an object that is encrypted with a key of ours, and encrypts with that of its own', async () => {
    const encryption = { kind: 'customer', key: Buffer.alloc(32, 1).toString('base64') } as const
    await start({}, { ...HONEST, encryption })
    await store.put('a', bytes(10))
    expect(await copy('b', absent)).toMatchObject({ size: 10 })
    expect(await getBytes(store, 'b')).toEqual(bytes(10))
    await using plain = await S3Store.open(localOptions(fake.url, HONEST))
    expect(await copy('c', absent, plain)).toMatchObject({ size: 10 })
    expect(await getBytes(plain, 'c')).toEqual(bytes(10))
  })
})
