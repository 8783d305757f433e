import { expect, test } from 'vitest'
import {
  abortable,
  BodyReader,
  collectBody,
  createBody,
  discardBody,
  readBody,
  relayBody,
} from '../src/index.ts'
import { chunksBody, readAll } from './store-under-test.ts'

function countedSource(chunks: Uint8Array[]) {
  const source = {
    closed: 0,
    next: async () => chunks.shift(),
    close: async () => {
      source.closed += 1
    },
  }
  return source
}

test('createBody closes its source once, whether read to the end, left early, or never started', async () => {
  const [a, b, c] = [Uint8Array.of(1), Uint8Array.of(2), Uint8Array.of(3)]
  const whole = countedSource([a, b])
  expect(await readAll(createBody(whole))).toEqual([1, 2])
  const left = countedSource([a, b, c])
  for await (const chunk of createBody(left)) if (chunk === b) break
  const unread = countedSource([a])
  const body = createBody(unread)
  await discardBody(body)
  await discardBody(body)
  expect(await readAll(body)).toEqual([])
  expect([whole.closed, left.closed, unread.closed]).toEqual([1, 1, 1])
})

test('createBody closes its source when it fails', async () => {
  const source = countedSource([])
  source.next = () => Promise.reject(new Error('cut'))
  await expect(readAll(createBody(source))).rejects.toThrow('cut')
  expect(source.closed).toBe(1)
})

/** A source of these bytes that also reads into memory, at most `most` bytes at a time. */
function memorySource(bytes: number[], most: number) {
  const source = {
    closed: 0,
    next: async () => (bytes.length > 0 ? Uint8Array.from(bytes.splice(0, most)) : undefined),
    readInto: async (target: Uint8Array) => {
      const part = bytes.splice(0, Math.min(most, target.length))
      target.set(part)
      return part.length
    },
    close: async () => {
      source.closed += 1
    },
  }
  return source
}

test('createBody has readInto when its source has, and closes the source once at its end', async () => {
  expect(createBody(countedSource([])).readInto).toBeUndefined()
  const source = memorySource([1, 2, 3, 4, 5], 2)
  const body = createBody(source)
  const target = new Uint8Array(3)
  expect([await body.readInto!(target), target[0], target[1]]).toEqual([2, 1, 2])
  expect(await body.next()).toEqual({ done: false, value: Uint8Array.of(3, 4) })
  expect([await body.readInto!(target), target[0]]).toEqual([1, 5])
  await expect(body.readInto!(new Uint8Array(0))).rejects.toThrow(RangeError)
  expect(source.closed).toBe(0)
  expect(await body.readInto!(target)).toBe(0)
  expect(await body.readInto!(target)).toBe(0)
  expect((await body.next()).done).toBe(true)
  expect(source.closed).toBe(1)
})

test('createBody closes its source when readInto fails, and does not read after it was left', async () => {
  const failing = memorySource([1], 1)
  failing.readInto = () => Promise.reject(new Error('cut'))
  await expect(createBody(failing).readInto!(new Uint8Array(1))).rejects.toThrow('cut')
  expect(failing.closed).toBe(1)
  const left = memorySource([1, 2], 1)
  const body = createBody(left)
  await body.readInto!(new Uint8Array(1))
  await discardBody(body)
  expect(await body.readInto!(new Uint8Array(1))).toBe(0)
  expect(left.closed).toBe(1)
})

test('relayBody tells of the bytes that readInto brought, of its failure and of the end', async () => {
  const told: unknown[] = []
  const hooks = {
    onChunk: (chunk: Uint8Array) => told.push([...chunk]),
    onError: (error: unknown) => told.push(String(error)),
    onClose: () => told.push('closed'),
  }
  const body = relayBody(createBody(memorySource([1, 2, 3], 2)), hooks)
  const target = new Uint8Array(10)
  while ((await body.readInto!(target)) > 0);
  expect(told.splice(0)).toEqual([[1, 2], [3], 'closed'])
  const failing = memorySource([], 1)
  failing.readInto = () => Promise.reject(new Error('cut'))
  await expect(relayBody(createBody(failing), hooks).readInto!(target)).rejects.toThrow('cut')
  expect(told).toEqual(['Error: cut', 'closed'])
  expect(relayBody(createBody(countedSource([])), hooks).readInto).toBeUndefined()
})

test.each([true, false])('BodyReader reads any body into memory (readInto of its own: %s)', async (own) => {
  for (const room of [1, 2, 3, 7]) {
    const source = memorySource([1, 2, 3, 4, 5, 6, 7], 3)
    const { next, close } = source
    const reader = new BodyReader(createBody(own ? source : { next, close }))
    const read: number[] = []
    const target = new Uint8Array(room)
    for (let turn = 0; ; turn++) {
      const size = await reader.readInto(target)
      if (size === 0) break
      read.push(...target.subarray(0, size))
      // What a small target left of a chunk is the next chunk.
      if (turn % 3 === 1) read.push(...((await reader.next()) ?? []))
    }
    expect(read).toEqual([1, 2, 3, 4, 5, 6, 7])
    expect(await reader.next()).toBeUndefined()
    await reader.close()
    expect(source.closed).toBe(1)
  }
})

test('BodyReader skips empty chunks: only the end is 0 bytes', async () => {
  const reader = new BodyReader(createBody(countedSource([new Uint8Array(0), Uint8Array.of(7)])))
  expect(await reader.readInto(new Uint8Array(4))).toBe(1)
  expect(await reader.readInto(new Uint8Array(4))).toBe(0)
  await expect(reader.readInto(new Uint8Array(0))).rejects.toThrow(RangeError)
})

test('readBody refuses a body that is longer or shorter than its size, and releases it', async () => {
  const short = chunksBody([new Uint8Array(3)], 4)
  await expect(collectBody(short)).rejects.toThrow(RangeError)
  const long = chunksBody([new Uint8Array(3), new Uint8Array(3)], 4)
  await expect(collectBody(long)).rejects.toThrow('more than its 4 bytes')
  expect([short.released, long.released]).toEqual([1, 1])
})

test('readBody releases a body that its reader leaves', async () => {
  const body = chunksBody([new Uint8Array(1), new Uint8Array(1)])
  for await (const _ of readBody(body)) break
  expect(body.released).toBe(1)
})

test('readBody ends at an abort although the body hangs', async () => {
  const aborter = new AbortController()
  let returned = 0
  const hanging = {
    open: () => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise<never>(() => {}),
        return: async () => {
          returned += 1
          return { done: true as const, value: undefined }
        },
      }),
    }),
  }
  const reading = collectBody(hanging, { signal: aborter.signal })
  aborter.abort(new Error('enough'))
  await expect(reading).rejects.toThrow('enough')
  expect(returned).toBe(1)
})

test('abortable leaves no listener behind', async () => {
  const { signal } = new AbortController()
  let listeners = 0
  const add = signal.addEventListener.bind(signal)
  const removeListener = signal.removeEventListener.bind(signal)
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listeners += 1
    add(...args)
  }
  signal.removeEventListener = (...args: Parameters<typeof removeListener>) => {
    listeners -= 1
    removeListener(...args)
  }
  expect(await abortable(Promise.resolve(7), signal)).toBe(7)
  expect(listeners).toBe(0)
})
