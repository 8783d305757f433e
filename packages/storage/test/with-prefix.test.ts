import { expect, test } from 'vitest'
import { getBytes, StorageError, withFaults, withPrefix } from '../src/index.ts'
import { keysOf, storeWith } from './store-under-test.ts'

const one = Uint8Array.of(1)

test('keys are relative and nothing outside the prefix is seen or touched', async () => {
  const store = await storeWith({ 'a/x': one, 'a/y/z': one, 'a-x': one, ab: one, 'b/x': one })
  const below = withPrefix(store, 'a/')
  expect(await keysOf(below.list())).toEqual(['x', 'y/z'])
  expect(await keysOf(below.list({ prefix: 'y', startAfter: 'x' }))).toEqual(['y/z'])
  expect((await below.head('x')).key).toBe('x')
  expect((await below.put('w', one)).key).toBe('w')
  await below.delete(['x', 'ab'])
  expect(await keysOf(store.list())).toEqual(['a-x', 'a/w', 'a/y/z', 'ab', 'b/x'])
  expect(await getBytes(withPrefix(withPrefix(store, 'a/'), 'y/'), 'z')).toEqual(one)
})

test('an error has the key of the caller and the whole one in its message', async () => {
  const below = withPrefix(await storeWith({}), 'a/b/')
  const error = await below.head('x').catch((e: StorageError) => e)
  expect(error).toMatchObject({
    code: 'not-found',
    key: 'x',
    message: 'there is no object a/b/x',
    operation: 'head',
  })
  await expect(keysOf(below.list({ prefix: '../' }))).rejects.toMatchObject({
    code: 'invalid-key',
    key: '../',
  })
})

test('an error keeps its hint and transience', async () => {
  const failure = new StorageError('full', {
    code: 'unavailable',
    driver: 'x',
    operation: 'put',
    key: 'a/x',
    transient: false,
    hint: 'make room',
  })
  const below = withPrefix(
    withFaults(await storeWith({}), [{ operation: 'put', fault: 'fail', error: failure }]),
    'a/',
  )
  await expect(below.put('x', one)).rejects.toMatchObject({
    key: 'x',
    transient: false,
    hint: 'make room',
    cause: failure,
  })
})

test.each(['a', '/', 'a//', '../', 'a b/'])('prefix %j is refused', async (prefix) => {
  const store = await storeWith({})
  expect(() => withPrefix(store, prefix)).toThrow(TypeError)
})
