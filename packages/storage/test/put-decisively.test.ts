import { expect, test } from 'vitest'
import {
  type BlobInfo,
  type BlobStore,
  type ETag,
  type Fault,
  type Precondition,
  putDecisively,
  StorageError,
  withFaults,
} from '../src/index.ts'
import { readAll, storeWith } from './store-under-test.ts'

const ours = Uint8Array.of(1, 2, 3)
const theirs = Uint8Array.of(9)
const absent: Precondition = { kind: 'absent' }

function put(store: BlobStore, precondition = absent, attempts = 4) {
  return putDecisively(
    {
      body: ours,
      send: () => store.put('a', ours, { precondition }),
      read: () => store.get('a'),
    },
    { attempts, pause: async () => {} },
  )
}

async function faulty(plan: readonly Fault[], there?: Uint8Array): Promise<BlobStore> {
  return withFaults(await storeWith(there === undefined ? {} : { a: there }), plan)
}

async function contentOf(store: BlobStore): Promise<number[]> {
  return readAll((await store.get('a')).body)
}

const lost: Fault = { operation: 'put', at: 1, fault: 'applied-but-failed' }
const dropped: Fault = { operation: 'put', at: 1, fault: 'fail' }

test.each([
  ['nothing goes wrong', []],
  ['the request is lost', [dropped]],
  ['the answer is lost', [lost]],
  ['every answer is lost', [{ operation: 'put', at: [1, 9], fault: 'applied-but-failed' }]],
] satisfies [string, Fault[]][])('it is ours when %s', async (_, plan) => {
  const store = await faulty(plan)
  const info = await put(store)
  expect(info).toMatchObject({ key: 'a', size: 3 })
  expect(info.etag).toBe((await store.head('a')).etag)
})

test('a refusal without doubt is believed without a request', async () => {
  const store = await faulty([{ operation: 'get', fault: 'fail' }], theirs)
  await expect(put(store)).rejects.toMatchObject({ code: 'precondition-failed' })
})

test('a refusal without doubt is believed even if the bytes are the same: another process wrote them', async () => {
  await expect(put(await faulty([], ours))).rejects.toMatchObject({ code: 'precondition-failed' })
})

test('after a doubt the object of another is told as such, and stays', async () => {
  const store = await faulty([dropped], theirs)
  await expect(put(store)).rejects.toMatchObject({ code: 'precondition-failed' })
  expect(await contentOf(store)).toEqual([9])
})

test('a doubt that cannot be cleared up stays a passing error, never a refusal', async () => {
  const store = await faulty([lost, { operation: 'get', fault: 'fail' }])
  await expect(put(store)).rejects.toMatchObject({ code: 'unavailable', transient: true })
})

test('without an answer to the last try, what is there decides: nothing, so it may be repeated', async () => {
  const store = await faulty([{ operation: 'put', fault: 'fail', error: 'timeout' }])
  await expect(put(store)).rejects.toMatchObject({ code: 'timeout', transient: true })
})

test('a replaced version: a lost answer counts, another version does not', async () => {
  const store = await faulty([lost], theirs)
  const match = { kind: 'match', etag: (await store.head('a')).etag } as const
  expect(await put(store, match)).toMatchObject({ size: 3 })
  const stale = await faulty([dropped], theirs)
  await expect(put(stale, { kind: 'match', etag: 'other' as ETag })).rejects.toMatchObject({
    code: 'precondition-failed',
  })
})

test('an error that does not pass ends it at once', async () => {
  const store = await faulty([{ operation: 'put', fault: 'fail', error: 'permission-denied' }])
  await expect(put(store)).rejects.toMatchObject({ code: 'permission-denied' })
})

test('with an id of the put, what it finds decides: the same bytes of another do not count', async () => {
  const refused = new StorageError('there', { code: 'precondition-failed', driver: 'x', operation: 'put' })
  const lostAnswer = new StorageError('lost', { code: 'unavailable', driver: 'x', operation: 'put' })
  const found: BlobInfo = { key: 'a', size: 3, etag: 'e' as ETag, modified: new Date(0) }
  const run = (errors: StorageError[], find: () => Promise<BlobInfo | undefined>) =>
    putDecisively(
      { send: () => Promise.reject(errors.shift() ?? refused), find },
      { attempts: 3, pause: async () => {} },
    )
  expect(await run([lostAnswer], async () => found)).toBe(found)
  await expect(run([lostAnswer], async () => undefined)).rejects.toBe(refused)
  // Something in between sent it twice, and kept the first answer.
  expect(await run([], async () => found)).toBe(found)
  await expect(run([], () => Promise.reject(new Error('down')))).rejects.toBe(refused)
  await expect(run([lostAnswer], () => Promise.reject(new Error('down')))).rejects.toMatchObject({
    code: 'unavailable',
    transient: true,
  })
})
