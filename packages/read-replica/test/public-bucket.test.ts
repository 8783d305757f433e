import { formatTXID, toTXID } from '@sqlstream/ltx'
import { filesOf, Replica } from '@sqlstream/replica'
import { collectBody, MemoryStore } from '@sqlstream/storage'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { afterEach, describe, expect, test, vi } from 'vitest'
import { openReplica } from '../src/node/index.ts'
import { parseS3Listing } from '../src/web/http/s3-listing.ts'
import { findPublicReplica, HttpStore } from '../src/web/index.ts'
import { History } from './support/history.ts'

afterEach(() => vi.unstubAllGlobals())

const ONE = '0000000000000001-0000000000000001.ltx'

test('a listing of a bucket', () => {
  const xml = `<?xml version="1.0"?><ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><IsTruncated>true</IsTruncated>
    <Contents><Key>a&amp;b/${ONE}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>&quot;1&#50;&quot;</ETag><Size>7</Size></Contents>
    <NextContinuationToken>t=</NextContinuationToken></ListBucketResult>`
  expect(parseS3Listing(xml)).toEqual({
    objects: [{ key: `a&b/${ONE}`, size: 7, etag: '"12"', modified: new Date('2026-01-01') }],
    next: 't=',
  })
  expect(parseS3Listing('<html></html>')).toBeUndefined()
  expect(parseS3Listing('<ListBucketResult></ListBucketResult>')).toEqual({ objects: [], next: undefined })
})

describe('a replica in a bucket that anybody may read', () => {
  test('is found below the bucket and read as any other (V1)', async () => {
    await using server = await FakeS3.start()
    await using inner = new MemoryStore()
    using history = new History({ store: inner })
    for (let i = 0; i < 8; i++)
      await history.commit(i === 0 ? 'CREATE TABLE t (n)' : `INSERT INTO t VALUES (${i})`)
    const bucket = server.bucket('bucket')
    for await (const { key } of inner.list()) {
      const { body } = await inner.get(key)
      const bytes = Buffer.from(await collectBody({ open: () => body }))
      bucket.put(`some/app/${key}`, { bytes, etag: `"${key}"`, modified: new Date(), headers: {} })
    }
    const { store, layout, urlOf } = await findPublicReplica(`${server.url}/bucket/some/app`)
    expect(layout).toBe('plain')
    await using replica = await openReplica({ replica: new Replica(store, { layout }), poll: false })
    expect(await replica.get('SELECT count(*) AS n, sqlstream_txid() AS txid FROM t')).toEqual({
      n: 7,
      txid: formatTXID(toTXID(8)),
    })
    const [file] = filesOf(await new Replica(store, { layout }).catalog())
    expect((await fetch(urlOf(file!.key))).status).toBe(200)
    await expect(store.get('no/such')).rejects.toMatchObject({ code: 'not-found' })
    await expect(store.put('x')).rejects.toMatchObject({ code: 'unsupported' })
    await expect(store.delete()).rejects.toMatchObject({ code: 'unsupported' })
  })

  test('is told from a place that has none, gives no list, or is no address', async () => {
    await using server = await FakeS3.start()
    server
      .bucket('bucket')
      .put('other', { bytes: Buffer.of(1), etag: '"1"', modified: new Date(), headers: {} })
    await expect(findPublicReplica(`${server.url}/bucket`)).rejects.toMatchObject({ code: 'not-found' })
    await expect(findPublicReplica(`${server.url}/nothing/app`)).rejects.toMatchObject({
      code: 'permission-denied',
    })
    await expect(findPublicReplica('s3://bucket/app')).rejects.toMatchObject({ code: 'invalid-config' })
    const reason = new Error('enough')
    await expect(
      findPublicReplica(`${server.url}/bucket`, { signal: AbortSignal.abort(reason) }),
    ).rejects.toBe(reason)
  })

  test('where whole files come instead of ranges, that is said', async () => {
    vi.stubGlobal('fetch', async () => new Response('all of it'))
    const store = new HttpStore({ driver: 'cdn', urlOf: (key) => `http://cdn/${key}`, list: async () => [] })
    await expect(store.get('a', { range: { offset: 2, length: 3 } })).rejects.toMatchObject({
      code: 'unsupported',
      driver: 'cdn',
    })
  })
})
