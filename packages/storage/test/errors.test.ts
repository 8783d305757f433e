import { expect, test } from 'vitest'
import { isStorageError, StorageError } from '../src/index.ts'

const fields = { driver: 'x', operation: 'get' } as const

test('a StorageError carries what it was given and nothing else', () => {
  const cause = new Error('socket closed')
  const error = new StorageError('get a/b: socket closed', {
    ...fields,
    code: 'unavailable',
    key: 'a/b',
    cause,
  })
  expect(error).toMatchObject({
    name: 'StorageError',
    code: 'unavailable',
    key: 'a/b',
    transient: true,
    cause,
  })
  expect(Object.keys(new StorageError('m', { ...fields, code: 'unknown' }))).not.toContain('key')
  expect('cause' in new StorageError('m', { ...fields, code: 'unknown' })).toBe(false)
})

test('transient follows the code unless it is given, and precondition-failed never is', () => {
  const transient = (code: StorageError['code'], given?: boolean) =>
    new StorageError('m', { ...fields, code, transient: given }).transient
  expect((['rate-limited', 'unavailable', 'timeout'] as const).map((code) => transient(code))).toEqual([
    true,
    true,
    true,
  ])
  expect(transient('not-found')).toBe(false)
  expect(transient('unknown', true)).toBe(true)
  expect(transient('unavailable', false)).toBe(false)
  expect(transient('precondition-failed', true)).toBe(false)
})

test('isStorageError goes by name and code, so an error of another copy of the package counts', () => {
  const foreign = Object.assign(new Error('gone'), { name: 'StorageError', code: 'not-found' })
  expect(isStorageError(foreign)).toBe(true)
  expect(isStorageError(foreign, 'not-found')).toBe(true)
  expect(isStorageError(foreign, 'timeout')).toBe(false)
  expect(isStorageError(Object.assign(new Error('gone'), { code: 'not-found' }))).toBe(false)
  expect(isStorageError({ name: 'StorageError', code: 'not-found' })).toBe(false)
  expect(isStorageError(undefined)).toBe(false)
})

test('message and hint lose credentials whatever a driver passes', () => {
  const error = new StorageError('open s3://KEY:sEcReT@bucket/a?token=t0ps failed', {
    ...fields,
    code: 'invalid-config',
    hint: 'check https://KEY:sEcReT@host/',
  })
  expect(error.message).toBe('open s3://***@bucket/a?token=*** failed')
  expect(error.hint).toBe('check https://***@host/')
  expect(error.stack).not.toContain('sEcReT')
})
