import { gzipSync } from 'node:zlib'
import { type BlobInfo, copyBlob, discardBody, getBytes, type ReplayableBody } from '@sqlstream/storage'
import { FakeGCS } from '@sqlstream/testkit/servers'
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest'
import type { GCSStore } from '../src/index.ts'
import { openStore } from './fake-store.ts'

const fake = await FakeGCS.start()
afterAll(() => fake[Symbol.asyncDispose]())
let store: GCSStore

beforeEach(async () => {
  store = openStore(fake.url)
  for (const name of fake.bucket('bucket').names()) fake.bucket('bucket').remove(name, new URLSearchParams())
  fake.plan()
})

afterEach(() => store[Symbol.asyncDispose]())

const MIB = 2 ** 20

function bodyOf(mebibytes: number, known: boolean): ReplayableBody {
  return {
    ...(known ? { size: mebibytes * MIB } : {}),
    async *open() {
      for (let i = 0; i < mebibytes; i++) yield new Uint8Array(MIB).fill(i)
    },
  }
}

async function keysOf(entries: AsyncIterable<BlobInfo>): Promise<string[]> {
  const keys: string[] = []
  for await (const { key } of entries) keys.push(key)
  return keys
}

test.each([
  ['no bytes is one request', new Uint8Array(0), 1],
  ['bytes is one request', new Uint8Array(1000), 1],
  ['8 MiB as bytes is one request', new Uint8Array(8 * MIB), 1],
  ['8 MiB of known size is one request', bodyOf(8, true), 1],
  ['8 MiB of unknown size is one request', bodyOf(8, false), 1],
  ['17 MiB of unknown size is a start and three parts', bodyOf(17, false), 4],
  ['16 MiB of known size is a start and two parts', bodyOf(16, true), 3],
])('a put of %s', async (_, body, requests) => {
  await store.put('a', body)
  await store.put('b', body, { precondition: { kind: 'absent' }, timestamp: new Date() })
  expect(fake.traffic().requests).toBe(2 * requests)
})

test('a get, a head, a range and a delete are one request each, also of nothing', async () => {
  await store.put('a', new Uint8Array(1000))
  fake.plan()
  await getBytes(store, 'a')
  await getBytes(store, 'a', { range: { suffix: 10 } })
  await store.head('a')
  await store.delete(['a'])
  await store.delete(['a'])
  await expect(store.get('a')).rejects.toMatchObject({ code: 'not-found' })
  expect(fake.traffic().requests).toBe(6)
})

test('a list of 2,500 is three requests, and asks for nothing that it does not use', async () => {
  const bucket = fake.bucket('bucket')
  for (let i = 0; i < 2500; i++)
    bucket.write(`k${i}`, Buffer.alloc(0), { metadata: { a: 'b'.repeat(100) } }, new URLSearchParams())
  let count = 0
  for await (const _ of store.list()) count += 1
  expect(count).toBe(2500)
  expect(fake.traffic().requests).toBe(3)
  expect(fake.traffic().bytesOut / 2500).toBeLessThan(110)
})

test('a list after a key starts there', async () => {
  const bucket = fake.bucket('bucket')
  for (let i = 0; i < 2500; i++) bucket.write(`k${i + 1000}`, Buffer.alloc(0), {}, new URLSearchParams())
  const keys = await keysOf(store.list({ prefix: 'k', startAfter: 'k3497' }))
  expect(keys).toEqual(['k3498', 'k3499'])
  expect(fake.traffic().requests).toBe(1)
})

test('the time of a put is metadata where Litestream looks for it', async () => {
  const bucket = fake.bucket('bucket')
  for (const [time, written] of [
    ['2026-11-27T01:02:03.450Z', '2026-11-27T01:02:03.45Z'],
    ['2026-11-27T01:02:00.000Z', '2026-11-27T01:02:00Z'],
    ['2026-11-27T01:02:10.006Z', '2026-11-27T01:02:10.006Z'],
  ] as const) {
    await store.put('small', new Uint8Array(1), { timestamp: new Date(time) })
    expect(bucket.find('small')!.resource.metadata).toEqual({ 'litestream-timestamp': written })
  }
  await store.put('large', bodyOf(9, false), { timestamp: new Date('2026-11-27T01:02:03.450Z') })
  expect(bucket.find('large')!.resource.metadata).toEqual({
    'litestream-timestamp': '2026-11-27T01:02:03.45Z',
  })
  await store.put('none', new Uint8Array(1))
  expect(bucket.find('none')!.resource.metadata).toBeUndefined()
})

test('a stored gzip comes as it is stored, whole and in ranges', async () => {
  const packed = gzipSync('some text'.repeat(100))
  fake.bucket('bucket').write('a', packed, { contentEncoding: 'gzip' }, new URLSearchParams())
  expect(Buffer.from(await getBytes(store, 'a'))).toEqual(packed)
  expect(Buffer.from(await getBytes(store, 'a', { range: { offset: 5, length: 5 } }))).toEqual(
    packed.subarray(5, 10),
  )
})

test('an ETag that is no generation matches nothing, and is not sent', async () => {
  await store.put('a', new Uint8Array(1))
  fake.plan()
  for (const etag of ['0', '', 'abc', '1-2']) {
    const put = store.put('a', new Uint8Array(2), { precondition: { kind: 'match', etag: etag as never } })
    await expect(put).rejects.toMatchObject({ code: 'precondition-failed' })
  }
  await expect(
    store.put('none', new Uint8Array(2), { precondition: { kind: 'match', etag: '0' as never } }),
  ).rejects.toMatchObject({ code: 'precondition-failed' })
  expect(fake.traffic().requests).toBe(0)
})

test('objects whose names are no keys are left out of listings', async () => {
  const bucket = fake.bucket('bucket')
  for (const name of ['a', 'folder/', 'with space', 'ü'])
    bucket.write(name, Buffer.alloc(1), {}, new URLSearchParams())
  expect(await keysOf(store.list())).toEqual(['a'])
})

test('bodies that nobody reads hold no connection', async () => {
  await store.put('a', new Uint8Array(4 * MIB))
  for (let i = 0; i < 20; i++) await discardBody((await store.get('a')).body)
  await store.head('a')
  await expect.poll(() => fake.connections()).toBeLessThanOrEqual(2)
})

test('a copy is one request, with and without a condition, and no byte of it comes through here', async () => {
  await using store = openStore(fake.url, { token: 't' })
  await store.put('a', new Uint8Array(MIB))
  fake.plan()
  const timestamp = new Date('2026-11-24T03:15:00.500Z')
  for (const [key, options] of [
    ['b', {}],
    ['c', { precondition: { kind: 'absent' }, timestamp }],
  ] as const)
    expect(await copyBlob({ store, key: 'a' }, { store, key }, options)).toMatchObject({ key, size: MIB })
  const { requests, bytesIn, bytesOut } = fake.traffic()
  expect(requests).toBe(2)
  expect(bytesIn + bytesOut).toBeLessThan(2000)
  expect(fake.bucket('bucket').find('c')?.resource.metadata).toMatchObject({
    'litestream-timestamp': '2026-11-24T03:15:00.5Z',
  })
})

test('a copy to another place goes on until it is done', async () => {
  await using far = await FakeGCS.start({ buckets: ['here', 'there'], rewritesAtMost: 300_000 })
  await using here = openStore(far.url, { bucket: 'here', token: 't' })
  await using there = openStore(far.url, { bucket: 'there', token: 't' })
  await here.put('a', new Uint8Array(MIB).fill(7))
  far.plan()
  const precondition = { kind: 'absent' } as const
  expect(
    await copyBlob({ store: here, key: 'a' }, { store: there, key: 'b' }, { precondition }),
  ).toMatchObject({
    size: MIB,
  })
  expect(far.traffic().requests).toBe(4)
  expect(await getBytes(there, 'b')).toEqual(new Uint8Array(MIB).fill(7))
})

test('a copy whose answer is lost is found by its id; one of another writer is not taken for it', async () => {
  await using store = openStore(fake.url, { token: 't' })
  await store.put('a', new Uint8Array(10))
  const precondition = { kind: 'absent' } as const
  fake.plan([{ request: 'objects.rewrite', at: 1, fault: { kind: 'drop-answer' } }])
  expect(await copyBlob({ store, key: 'a' }, { store, key: 'b' }, { precondition })).toMatchObject({
    size: 10,
  })
  fake.plan()
  const again = copyBlob({ store, key: 'a' }, { store, key: 'b' }, { precondition })
  await expect(again).rejects.toMatchObject({ code: 'precondition-failed' })
})

test('a copy that is refused for lack of rights is left to the caller', async () => {
  await using store = openStore(fake.url, { token: 't' })
  await store.put('a', new Uint8Array(10))
  fake.plan([{ request: 'objects.rewrite', fault: { kind: 'refuse', status: 403 } }])
  expect(await copyBlob({ store, key: 'a' }, { store, key: 'b' })).toBeUndefined()
})

test('a copy with a condition is left to the caller on an emulator, which would ignore it', async () => {
  await store.put('a', new Uint8Array(10))
  const precondition = { kind: 'absent' } as const
  expect(await copyBlob({ store, key: 'a' }, { store, key: 'b' }, { precondition })).toBeUndefined()
  expect(await copyBlob({ store, key: 'a' }, { store, key: 'b' })).toMatchObject({ size: 10 })
})
