import { type JetStreamClient, jetstream, jetstreamManager } from '@nats-io/jetstream'
import { Objm } from '@nats-io/obj'
import { connect, errors, type NatsConnection } from '@nats-io/transport-node'
import { type BlobStore, getBytes, isStorageError } from '@sqlstream/storage'
import { startNATS } from '@sqlstream/testkit/servers'
import { afterEach, describe, expect, test } from 'vitest'
import { Bucket } from '../src/bucket.ts'
import { openNATSStore } from '../src/index.ts'
import { NATSStore } from '../src/nats-store.ts'
import { address, messagesOf, newBucket, open, reason } from './nats.ts'

type Publish = JetStreamClient['publish']

/** What happens to a publish: `next` carries it out. */
type Fault = (subject: string, next: () => ReturnType<Publish>) => ReturnType<Publish>

const opened: NatsConnection[] = []
afterEach(async () => {
  for (const connection of opened.splice(0)) await connection.close()
})

/** A store whose publishes meet a fault. */
async function faulty(bucket: string, fault: Fault): Promise<BlobStore> {
  const connection = await connect({ servers: address })
  opened.push(connection)
  const [js, jsm] = [jetstream(connection), await jetstreamManager(connection)]
  const publish: Publish = (subject, data, options) =>
    fault(subject, () => js.publish(subject, data, options))
  const view = new Proxy(js, {
    get: (target, name) => (name === 'publish' ? publish : Reflect.get(target, name, target)),
  })
  return new NATSStore(
    connection,
    new Bucket({ js: view, jsm, bucket, timeoutMs: 5000, chunkSize: 128 * 1024 }),
  )
}

const isMeta = (subject: string): boolean => subject.includes('.M.')
const bytes = new Uint8Array(300_000).fill(7)

/** Loses the first so many answers for meta messages, or requests. */
function losing(what: 'answer' | 'request', times: number): { fault: Fault; lost: () => number } {
  let lost = 0
  return {
    lost: () => lost,
    fault: async (subject, next) => {
      if (!isMeta(subject) || lost === times) return next()
      lost += 1
      if (what === 'answer') await next()
      throw new errors.TimeoutError()
    },
  }
}

describe.skipIf(reason !== undefined)(reason ?? 'a put whose meta message', () => {
  test.each([
    ['answer', 1],
    ['answer', 3],
    ['request', 1],
    ['request', 3],
  ] as const)('loses its %s %d times succeeds once, and keeps its chunks', async (what, times) => {
    for (const kind of ['none', 'absent', 'match'] as const) {
      const { bucket } = await newBucket()
      await using truth = await open(bucket)
      const { fault, lost } = losing(what, times)
      const store = await faulty(bucket, fault)
      const etag = kind === 'match' ? (await truth.put('a', Uint8Array.of(1))).etag : undefined
      const precondition = kind === 'none' ? undefined : kind === 'match' ? { kind, etag: etag! } : { kind }
      const info = await store.put('a', bytes, { precondition })
      // Once the answer was lost it is found to be ours, and not sent again.
      expect(lost()).toBe(what === 'answer' ? 1 : times)
      expect((await truth.head('a')).etag).toBe(info.etag)
      expect(Buffer.compare(await getBytes(truth, 'a'), bytes)).toBe(0)
      expect(await messagesOf(bucket)).toEqual({ chunks: 3, metas: 1 })
    }
  })

  test('is never carried out fails, with the old object as it was', async () => {
    const { bucket } = await newBucket()
    await using truth = await open(bucket)
    await truth.put('a', Uint8Array.of(1))
    const store = await faulty(bucket, losing('request', 100).fault)
    await expect(store.put('a', bytes)).rejects.toMatchObject({ code: 'timeout', transient: true })
    expect(await getBytes(truth, 'a')).toEqual(Uint8Array.of(1))
    // Its meta message may be on its way, so its chunks have to stay.
    expect(await messagesOf(bucket)).toEqual({ chunks: 4, metas: 1 })
  })

  test('is lost while another writer comes is refused, and leaves nothing', async () => {
    const { bucket } = await newBucket()
    await using truth = await open(bucket)
    const store = await faulty(bucket, async (subject, next) => {
      if (!isMeta(subject)) return next()
      await truth.put('a', Uint8Array.of(9))
      throw new errors.TimeoutError()
    })
    const put = store.put('a', bytes, { precondition: { kind: 'absent' } })
    await expect(put).rejects.toMatchObject({ code: 'precondition-failed' })
    expect(await getBytes(truth, 'a')).toEqual(Uint8Array.of(9))
    expect(await messagesOf(bucket)).toEqual({ chunks: 1, metas: 1 })
  })

  test('comes after that of another writer is sent again, and the other one’s chunks go', async () => {
    const { bucket } = await newBucket()
    await using truth = await open(bucket)
    let races = 0
    const store = await faulty(bucket, async (subject, next) => {
      if (isMeta(subject) && races < 3) {
        races += 1
        await truth.put('a', new Uint8Array(200_000).fill(races))
      }
      return next()
    })
    await store.put('a', bytes)
    expect(Buffer.compare(await getBytes(truth, 'a'), bytes)).toBe(0)
    expect(await messagesOf(bucket)).toEqual({ chunks: 3, metas: 1 })
  })
})

describe.skipIf(reason !== undefined)(reason ?? 'a put of which a chunk', () => {
  test.each(['answer', 'request'] as const)('loses its %s is written anew', async (what) => {
    const { bucket } = await newBucket()
    let n = 0
    const store = await faulty(bucket, async (_, next) => {
      n += 1
      if (n !== 2) return next()
      if (what === 'answer') await next()
      throw new errors.TimeoutError()
    })
    await store.put('a', bytes)
    expect(Buffer.compare(await getBytes(store, 'a'), bytes)).toBe(0)
    expect(await messagesOf(bucket)).toEqual({ chunks: 3, metas: 1 })
  })

  test('comes too late, and so out of order, is written anew', async () => {
    const { bucket } = await newBucket()
    let held: (() => void) | undefined
    let n = 0
    const store = await faulty(bucket, async (_, next) => {
      n += 1
      if (n === 1)
        await new Promise<void>((resolve) => {
          held = resolve
        })
      const answer = await next()
      held?.()
      return answer
    })
    await store.put('a', bytes)
    expect(Buffer.compare(await getBytes(store, 'a'), bytes)).toBe(0)
    expect(await messagesOf(bucket)).toEqual({ chunks: 3, metas: 1 })
  })
})

describe.skipIf(reason !== undefined)(reason ?? 'a body', () => {
  test.each([
    ['replaced', 'precondition-failed'],
    ['deleted', 'not-found'],
  ] as const)('whose object is %s fails at once', async (what, code) => {
    const { bucket } = await newBucket()
    await using store = await open(bucket)
    // More than is asked for at once.
    await store.put('a', new Uint8Array(2 ** 22))
    const { body } = await store.get('a')
    await (what === 'replaced' ? store.put('a', Uint8Array.of(1)) : store.delete(['a']))
    const reading = (async () => {
      for await (const _ of body);
    })()
    await expect(reading).rejects.toMatchObject({ code, operation: 'get', key: 'a' })
  })

  test('of which a chunk in the middle is missing fails there, in a range too', async () => {
    const { bucket } = await newBucket()
    await using store = await open(bucket)
    const bytes = new Uint8Array(600_000).fill(1)
    await store.put('a', bytes)
    const connection = await connect({ servers: address })
    opened.push(connection)
    const jsm = await jetstreamManager(connection)
    // Chunk 2 of 5: messages are counted from 1.
    await jsm.streams.deleteMessage(`OBJ_${bucket}`, 3)
    await expect(getBytes(store, 'a')).rejects.toMatchObject({ code: 'unknown' })
    const range = { offset: 280_000, length: 250_000 }
    await expect(getBytes(store, 'a', { range })).rejects.toMatchObject({ code: 'unknown' })
    expect((await getBytes(store, 'a', { range: { suffix: 150_000 } })).length).toBe(150_000)
    expect((await getBytes(store, 'a', { range: { offset: 0, length: 262_144 } })).length).toBe(262_144)
  })

  test('whose chunk was changed in the bucket is not taken for the object', async () => {
    const { bucket, theirs } = await newBucket()
    await using store = await open(bucket)
    await theirs.putBlob({ name: 'a' }, Uint8Array.of(1, 2, 3))
    const { nuid } = (await theirs.info('a'))!
    const connection = await connect({ servers: address })
    opened.push(connection)
    const jsm = await jetstreamManager(connection)
    await jsm.streams.purge(`OBJ_${bucket}`, { filter: `$O.${bucket}.C.${nuid}` })
    await expect(getBytes(store, 'a')).rejects.toMatchObject({ code: 'unknown' })
    await jetstream(connection).publish(`$O.${bucket}.C.${nuid}`, Uint8Array.of(1, 2, 4))
    await expect(getBytes(store, 'a')).rejects.toMatchObject({ code: 'unknown' })
  })
})

describe.skipIf(reason !== undefined)(reason ?? 'a server', () => {
  test('that hangs ends every call in time, and goes on later', async () => {
    await using own = await startNATS()
    const connection = await connect({ servers: own.address })
    opened.push(connection)
    await new Objm(jetstream(connection)).create('box')
    const place = { servers: own.address, bucket: 'box' }
    await using store = await openNATSStore({ ...place, timeoutMs: 200 })
    await using patient = await openNATSStore(place)
    await patient.put('a', bytes)
    const { body } = await patient.get('a')
    await own.server.pause()
    try {
      const expected = { code: 'timeout', transient: true, driver: 'nats' }
      await expect(store.head('a')).rejects.toMatchObject(expected)
      await expect(store.get('a')).rejects.toMatchObject(expected)
      await expect(store.put('a', bytes)).rejects.toMatchObject(expected)
      await expect(store.delete(['a'])).rejects.toMatchObject(expected)
      await expect(store.list()[Symbol.asyncIterator]().next()).rejects.toMatchObject(expected)
      const opening = openNATSStore({ ...place, timeoutMs: 200 })
      await expect(opening).rejects.toMatchObject({ code: 'timeout', operation: 'open' })
    } finally {
      own.server.signal('SIGCONT')
    }
    let size = 0
    for await (const chunk of body) size += chunk.length
    expect(size).toBe(bytes.length)
  })

  test('that is killed and starts again has all that was acknowledged', async () => {
    await using own = await startNATS()
    const connection = await connect({
      servers: own.address,
      maxReconnectAttempts: -1,
      reconnectTimeWait: 50,
    })
    opened.push(connection)
    await new Objm(jetstream(connection)).create('kept')
    await using store = await openNATSStore({ servers: own.address, bucket: 'kept', timeoutMs: 4000 })
    const kept = new Set<string>()
    for (let round = 0; round < 2; round++) {
      const puts = Array.from({ length: 20 }, async (_, i) => {
        const key = `${round}-${i}`
        const outcome = await store
          .put(key, bytes, { precondition: { kind: 'absent' } })
          .catch((error: unknown) => error)
        if (isStorageError(outcome)) expect(outcome.transient).toBe(true)
        else kept.add(key)
      })
      await puts[0]
      await own.restart()
      await Promise.all(puts)
    }
    expect(kept.size).toBeGreaterThan(0)
    for (const key of kept) expect(Buffer.compare(await getBytes(store, key), bytes)).toBe(0)
  })
})
