import { expect, test } from 'vitest'
import { abortable, collectBody, createBody, discardBody, readBody } from '../src/index.ts'
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
