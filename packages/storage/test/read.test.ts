import { describe, expect, test } from 'vitest'
import {
  discardBody,
  type Fault,
  getBytes,
  isStorageError,
  readResumable,
  StorageError,
  withFaults,
} from '../src/index.ts'
import { countingBytes, readAll, storeWith, withGetLog } from './store-under-test.ts'

const bytes = countingBytes(160)

async function cutStore(plan: readonly Fault[]) {
  return withGetLog(withFaults(await storeWith({ a: bytes, empty: new Uint8Array(0) }), plan))
}

test('an undisturbed reading costs one request', async () => {
  const { store, gets } = await cutStore([])
  expect(await getBytes(store, 'a')).toEqual(bytes)
  expect(await getBytes(store, 'empty')).toEqual(new Uint8Array(0))
  expect(gets).toHaveLength(2)
})

test('bytes go where there is room for them, once more when a body is cut', async () => {
  const { store, gets } = await cutStore([
    { operation: 'get', at: 1, fault: 'truncate', bytes: 30, ending: 'error' },
  ])
  const memory = new Uint8Array(200)
  const read = await getBytes(store, 'a', { room: (size) => memory.subarray(7, 7 + size) })
  expect(gets).toHaveLength(2)
  expect(read.buffer).toBe(memory.buffer)
  expect(memory.subarray(7, 167)).toEqual(bytes)
})

describe.each(['error', 'silent'] as const)('T29: a body that is cut with ending "%s"', (ending) => {
  test.each(Array.from({ length: 16 }, (_, i) => i * 10))(
    'after %i bytes goes on there by one more request',
    async (cut) => {
      const { store, gets } = await cutStore([
        { operation: 'get', at: 1, fault: 'truncate', bytes: cut, ending },
      ])
      expect(await getBytes(store, 'a')).toEqual(bytes)
      expect(gets).toEqual([undefined, { offset: cut, length: 160 - cut }])
    },
  )

  test('goes on within its range', async () => {
    for (const [range, from, to] of [
      [{ offset: 20, length: 100 }, 20, 120],
      [{ offset: 100, length: 1000 }, 100, 160],
      [{ suffix: 50 }, 110, 160],
      [{ suffix: 500 }, 0, 160],
    ] as const) {
      const { store, gets } = await cutStore([
        { operation: 'get', at: 1, fault: 'truncate', bytes: 13, ending },
      ])
      expect(await getBytes(store, 'a', { range })).toEqual(bytes.subarray(from, to))
      expect(gets).toEqual([range, { offset: from + 13, length: to - from - 13 }])
    }
  })

  test('goes on however often it is cut, as long as bytes come', async () => {
    const { store, gets } = await cutStore([{ operation: 'get', fault: 'truncate', bytes: 7, ending }])
    expect(await getBytes(store, 'a')).toEqual(bytes)
    expect(gets).toHaveLength(23)
  })

  test('goes on in the same memory, whatever the sizes', async () => {
    for (const [cut, room] of [
      [7, 1],
      [7, 160],
      [10, 10],
      [13, 9],
      [159, 100],
    ] as const) {
      const { store, gets } = await cutStore([{ operation: 'get', fault: 'truncate', bytes: cut, ending }])
      const { body } = await readResumable(store, 'a')
      const read: number[] = []
      for (;;) {
        const target = new Uint8Array(room)
        const size = await body.readInto!(target)
        if (size === 0) break
        read.push(...target.subarray(0, size))
      }
      expect(read).toEqual([...bytes])
      expect(gets).toHaveLength(Math.ceil(160 / cut))
    }
  })

  test('fails when it brings nothing more', async () => {
    const { store, gets } = await cutStore([
      { operation: 'get', at: 1, fault: 'truncate', bytes: 50, ending },
      { operation: 'get', at: [2, 99], fault: 'truncate', bytes: 0, ending },
    ])
    await expect(getBytes(store, 'a', { maxResumes: 3 })).rejects.toMatchObject({ code: 'unavailable' })
    expect(gets).toHaveLength(1 + 3)
  })
})

test('a request that fails while going on is tried again when that may help', async () => {
  const { store, gets } = await cutStore([
    { operation: 'get', at: 1, fault: 'truncate', bytes: 50 },
    { operation: 'get', at: [2, 3], fault: 'fail', error: 'timeout' },
  ])
  expect(await getBytes(store, 'a')).toEqual(bytes)
  expect(gets).toHaveLength(4)
})

test.each(['not-found', 'permission-denied', 'unknown'] as const)(
  '%s while going on ends the reading',
  async (code) => {
    const { store, gets } = await cutStore([
      { operation: 'get', at: 1, fault: 'truncate', bytes: 50 },
      { operation: 'get', at: 2, fault: 'fail', error: code },
    ])
    await expect(getBytes(store, 'a')).rejects.toMatchObject({ code })
    expect(gets).toHaveLength(2)
  },
)

test('the first request is not repeated: that is what the driver does', async () => {
  const { store, gets } = await cutStore([{ operation: 'get', at: 1, fault: 'fail' }])
  await expect(getBytes(store, 'a')).rejects.toMatchObject({ code: 'unavailable' })
  expect(gets).toHaveLength(1)
})

test('an object that was replaced between two requests is not mixed', async () => {
  const inner = await storeWith({ a: bytes })
  const store = withFaults(inner, [
    { operation: 'get', at: 1, fault: 'truncate', bytes: 50 },
    {
      operation: 'get',
      at: 2,
      fault: 'delay',
      wait: async () => void (await inner.put('a', countingBytes(160))),
    },
  ])
  const error: unknown = await getBytes(store, 'a').catch((e: unknown) => e)
  expect(isStorageError(error, 'precondition-failed')).toBe(true)
  expect(String(error)).toContain('was replaced while it was read (v1 is now v2)')
})

test('a body that brings more than it should is refused', async () => {
  const { store } = await cutStore([])
  const get: typeof store.get = async (key) => ({
    ...(await store.get(key)),
    body: (async function* () {
      yield new Uint8Array(161)
    })(),
  })
  await expect(getBytes(Object.assign(Object.create(store), { get }), 'a')).rejects.toMatchObject({
    code: 'unknown',
  })
})

test('an abort ends the reading with its reason, and no request follows', async () => {
  const { store, gets } = await cutStore([{ operation: 'get', fault: 'truncate', bytes: 50 }])
  const aborter = new AbortController()
  const { body } = await readResumable(store, 'a', { signal: aborter.signal })
  const reading = (async () => {
    for await (const _ of body) aborter.abort(new Error('enough'))
  })()
  await expect(reading).rejects.toThrow('enough')
  expect(gets).toHaveLength(1)
})

test('releasing a body that was never read releases the body of the store', async () => {
  let released = 0
  const { store } = await cutStore([])
  const get: typeof store.get = async (key) => {
    const { info, body } = await store.get(key)
    const reading = body[Symbol.asyncIterator]()
    const watched = {
      next: () => reading.next(),
      return: async () => {
        released += 1
        return { done: true as const, value: undefined }
      },
    }
    return { info, body: { [Symbol.asyncIterator]: () => watched } }
  }
  const { body } = await readResumable(Object.assign(Object.create(store), { get }), 'a')
  await discardBody(body)
  expect(released).toBe(1)
})

test('info and errors are those of the store', async () => {
  const { store } = await cutStore([])
  const { info, body } = await readResumable(store, 'a', { range: { suffix: 5 } })
  expect(info).toEqual(await store.head('a'))
  expect(await readAll(body)).toEqual([...bytes.subarray(155)])
  await expect(readResumable(store, 'b')).rejects.toBeInstanceOf(StorageError)
})
