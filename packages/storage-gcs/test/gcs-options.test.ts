import { inspect } from 'node:util'
import { expect, test } from 'vitest'
import { gcsPlace } from '../src/gcs-options.ts'

const GOOGLE = { endpoint: 'https://storage.googleapis.com', anonymous: false }
const emulator = { STORAGE_EMULATOR_HOST: 'localhost:4443' }

test.each([
  ['gs://my-backups', {}, { bucket: 'my-backups', prefix: '', ...GOOGLE }],
  ['gs://my-backups/', {}, { bucket: 'my-backups', prefix: '', ...GOOGLE }],
  ['gs://a.b_c-d/app', {}, { bucket: 'a.b_c-d', prefix: 'app/', ...GOOGLE }],
  ['gs://my-backups//a/b-c//', {}, { bucket: 'my-backups', prefix: 'a/b-c/', ...GOOGLE }],
  ['gs://my-backups?project=payer', {}, { bucket: 'my-backups', prefix: '', ...GOOGLE, project: 'payer' }],
  [
    'gs://my-backups?endpoint=https://storage-x.p.googleapis.com/',
    {},
    { bucket: 'my-backups', prefix: '', endpoint: 'https://storage-x.p.googleapis.com', anonymous: false },
  ],
  [
    'gs://my-backups',
    emulator,
    { bucket: 'my-backups', prefix: '', endpoint: 'http://localhost:4443', anonymous: true },
  ],
  [
    'gs://my-backups',
    { STORAGE_EMULATOR_HOST: 'http://localhost:4443/storage/v1/' },
    { bucket: 'my-backups', prefix: '', endpoint: 'http://localhost:4443', anonymous: true },
  ],
  ['gs://my-backups', { STORAGE_EMULATOR_HOST: '' }, { bucket: 'my-backups', prefix: '', ...GOOGLE }],
  [
    'gs://my-backups?endpoint=http://127.0.0.1:9000/base/',
    emulator,
    { bucket: 'my-backups', prefix: '', endpoint: 'http://127.0.0.1:9000/base', anonymous: true },
  ],
])('%s with %o', (url, env, place) => {
  expect(gcsPlace(new URL(url), env)).toEqual(place)
})

test.each([
  ['s3://my-backups', {}, 'is not a gs: URL', undefined],
  ['gs:///path', {}, 'names no bucket', 'gs://bucket/prefix'],
  ['gs://ab', {}, 'names no bucket', undefined],
  ['gs://UPPER', {}, 'names no bucket', undefined],
  ['gs://key:secret-canary@my-backups/x', {}, 'more than a bucket', 'from the environment'],
  ['gs://my-backups:9000/x', {}, 'more than a bucket', 'endpoint='],
  ['gs://my-backups/x#y', {}, 'has a fragment', undefined],
  ['gs://my-backups/a%20b', {}, 'no prefix of keys', 'letters'],
  ['gs://my-backups/x?endpiont=http://x', {}, 'unknown parameter "endpiont"', 'Did you mean endpoint?'],
  ['gs://my-backups/x?projekt=x', {}, 'unknown parameter "projekt"', 'Did you mean project?'],
  ['gs://my-backups/x?project=a&project=b', {}, '"project" twice', undefined],
  ['gs://my-backups/x?project=', {}, 'empty project', undefined],
  ['gs://my-backups/x?endpoint=ftp://x', {}, 'no http: or https: URL', undefined],
  ['gs://my-backups/x?endpoint=http://u:secret-canary@x', {}, 'no http: or https: URL', undefined],
  [
    'gs://my-backups/x',
    { STORAGE_EMULATOR_HOST: 'http://[' },
    'no http: or https: URL',
    'STORAGE_EMULATOR_HOST',
  ],
])('%s with %o is refused', (url, env, message, hint) => {
  let error: unknown
  try {
    gcsPlace(new URL(url), env)
  } catch (thrown) {
    error = thrown
  }
  expect(error).toMatchObject({ code: 'invalid-config', driver: 'gcs', operation: 'open' })
  expect((error as Error).message).toContain(message)
  expect((error as { hint?: string }).hint ?? '').toContain(hint ?? '')
  expect(inspect(error)).not.toContain('secret-canary')
})
