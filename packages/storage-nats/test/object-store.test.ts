import { getBytes, type ReplayableBody } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { messagesOf, newBucket, open, reason, streams } from './nats.ts'

const MIB = 2 ** 20

/** Bytes without a period that a shift would hide. */
function someBytes(size: number): Uint8Array {
  let state = 1
  return new Uint8Array(size).map(() => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0
    return state >>> 24
  })
}

function broken(bytes: Uint8Array): ReplayableBody {
  return {
    open: async function* () {
      yield bytes
      throw new Error('source broke')
    },
  }
}

describe.skipIf(reason !== undefined)(reason ?? 'beside the client of NATS', () => {
  test.each([0, 1, 128 * 1024, 128 * 1024 + 1, 3 * MIB])('it reads what we put: %d bytes', async (size) => {
    const { bucket, theirs } = await newBucket()
    await using store = await open(bucket)
    const bytes = someBytes(size)
    const timestamp = new Date('2026-01-02T03:04:05.670Z')
    await store.put('ltx/0/a.ltx', bytes, { timestamp })
    expect(Buffer.compare((await theirs.getBlob('ltx/0/a.ltx'))!, bytes)).toBe(0)
    const info = await theirs.info('ltx/0/a.ltx')
    expect(info).toMatchObject({ size, chunks: Math.ceil(size / (128 * 1024)), deleted: false })
    expect(info!.headers!.get('Litestream-Timestamp')).toBe('2026-01-02T03:04:05.67Z')
    expect((await theirs.list()).map(({ name }) => name)).toEqual(['ltx/0/a.ltx'])
  })

  test('we read what it put, whole and in ranges', async () => {
    const { bucket, theirs } = await newBucket()
    await using store = await open(bucket)
    const bytes = someBytes(MIB)
    await theirs.putBlob({ name: 'a' }, bytes)
    await theirs.putBlob({ name: 'no key', description: 'left out' }, bytes)
    expect(Buffer.compare(await getBytes(store, 'a'), bytes)).toBe(0)
    for (const [start, end] of [
      [0, 1],
      [131_071, 131_073],
      [500_000, 900_000],
      [MIB - 1, MIB],
    ] as const) {
      const part = await getBytes(store, 'a', { range: { offset: start, length: end - start } })
      expect(Buffer.compare(part, bytes.subarray(start, end))).toBe(0)
    }
    const keys: string[] = []
    for await (const { key } of store.list()) keys.push(key)
    expect(keys).toEqual(['a'])
  })

  test('ranges of an object whose chunks lie between those of others', async () => {
    const { bucket } = await newBucket()
    await using store = await open(bucket)
    const bytes = someBytes(4 * MIB)
    await Promise.all([
      store.put('a', bytes),
      store.put('b', someBytes(3 * MIB)),
      store.put('c', someBytes(5 * MIB)),
    ])
    for (const offset of [0, 131_071, 131_072, 1_000_000, 3_999_999]) {
      const part = await getBytes(store, 'a', { range: { offset, length: 150_000 } })
      expect(Buffer.compare(part, bytes.subarray(offset, offset + 150_000)), String(offset)).toBe(0)
    }
    expect(await getBytes(store, 'a', { range: { suffix: 5 } })).toEqual(bytes.subarray(-5))
  })

  test('a bucket that allows no direct reads is read all the same', async () => {
    const { bucket } = await newBucket()
    const bytes = someBytes(3 * MIB)
    const jsm = await streams()
    const { config } = await jsm.streams.info(`OBJ_${bucket}`)
    await jsm.streams.update(`OBJ_${bucket}`, { ...config, allow_direct: false })
    await using store = await open(bucket)
    await store.put('a', bytes)
    expect(Buffer.compare(await getBytes(store, 'a'), bytes)).toBe(0)
    const part = await getBytes(store, 'a', { range: { offset: 2_000_000, length: 500_000 } })
    expect(Buffer.compare(part, bytes.subarray(2_000_000, 2_500_000))).toBe(0)
  })

  test('what it deleted is gone and can be put again under both conditions', async () => {
    const { bucket, theirs } = await newBucket()
    await using store = await open(bucket)
    const { etag } = await store.put('a', Uint8Array.of(1))
    await theirs.delete('a')
    await expect(store.head('a')).rejects.toMatchObject({ code: 'not-found' })
    const stale = store.put('a', Uint8Array.of(2), { precondition: { kind: 'match', etag } })
    await expect(stale).rejects.toMatchObject({ code: 'precondition-failed' })
    await store.put('a', Uint8Array.of(3), { precondition: { kind: 'absent' } })
    expect(await getBytes(store, 'a')).toEqual(Uint8Array.of(3))
  })

  test('its conditional put loses against ours, and ours against its', async () => {
    const { bucket, theirs } = await newBucket()
    await using store = await open(bucket)
    const first = await theirs.putBlob({ name: 'a' }, Uint8Array.of(1))
    const info = await store.put('a', Uint8Array.of(2), {
      precondition: { kind: 'match', etag: (await store.head('a')).etag },
    })
    await expect(
      theirs.putBlob({ name: 'a' }, Uint8Array.of(3), { previousRevision: first.revision }),
    ).rejects.toThrow('wrong last sequence')
    await theirs.putBlob({ name: 'a' }, Uint8Array.of(4))
    const put = store.put('a', Uint8Array.of(5), { precondition: { kind: 'match', etag: info.etag } })
    await expect(put).rejects.toMatchObject({ code: 'precondition-failed' })
  })
})

describe.skipIf(reason !== undefined)(reason ?? 'what stays in the bucket', () => {
  test('one meta message for each object, and its chunks: none of what was replaced, deleted, refused or broke', async () => {
    const { bucket } = await newBucket()
    await using store = await open(bucket)
    const large = someBytes(MIB)
    const { etag } = await store.put('a', large)
    for (let i = 0; i < 3; i++) await store.put('a', large)
    await store.put('b', large)
    await store.delete(['b'])
    await expect(store.put('a', large, { precondition: { kind: 'absent' } })).rejects.toThrow()
    await expect(store.put('a', large, { precondition: { kind: 'match', etag } })).rejects.toThrow()
    await expect(store.put('a', broken(large))).rejects.toThrow('source broke')
    await expect(store.put('c', { size: 5, ...broken(large) })).rejects.toThrow()
    expect(await messagesOf(bucket)).toEqual({ chunks: 8, metas: 1 })
  })

  test('many writers of one object leave the chunks of one', async () => {
    const { bucket } = await newBucket()
    const stores = await Promise.all(Array.from({ length: 6 }, () => open(bucket)))
    await Promise.all(
      stores.map(async (store, i) => {
        for (let n = 0; n < 5; n++) await store.put('a', new Uint8Array(300_000).fill(i * 5 + n))
      }),
    )
    const bytes = await getBytes(stores[0]!, 'a')
    expect(Buffer.compare(bytes, new Uint8Array(300_000).fill(bytes[0]!))).toBe(0)
    expect(await messagesOf(bucket)).toEqual({ chunks: 3, metas: 1 })
    for (const store of stores) await store[Symbol.asyncDispose]()
  })

  test('deletes beside puts remove a version or nothing', async () => {
    const { bucket } = await newBucket()
    const [writer, remover] = await Promise.all([open(bucket), open(bucket)])
    const writing = (async () => {
      for (let n = 0; n < 30; n++) await writer.put('a', new Uint8Array(200_000).fill(n))
    })()
    for (let n = 0; n < 30; n++) await remover.delete(['a'])
    await writing
    await writer.put('a', new Uint8Array(200_000).fill(99))
    expect(Buffer.compare(await getBytes(remover, 'a'), new Uint8Array(200_000).fill(99))).toBe(0)
    expect(await messagesOf(bucket)).toEqual({ chunks: 2, metas: 1 })
    await remover.delete(['a'])
    expect(await messagesOf(bucket)).toEqual({ chunks: 0, metas: 0 })
    await writer[Symbol.asyncDispose]()
    await remover[Symbol.asyncDispose]()
  })
})
