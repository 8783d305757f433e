import { generateKeyPairSync } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { FakeGCS, freePort } from '@sqlstream/testkit/servers'
import { afterAll, afterEach, beforeEach, expect, test, vi } from 'vitest'
import { GCSClient } from '../src/gcs-client.ts'
import { GCSStore } from '../src/gcs-store.ts'
import { gcsDriver } from '../src/index.ts'

const fake = await FakeGCS.start()
const folder = mkdtempSync(join(tmpdir(), 'sqlstream-'))
afterAll(async () => {
  rmSync(folder, { recursive: true })
  await fake[Symbol.asyncDispose]()
})

beforeEach(() => {
  // A machine without any credentials.
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined)
  vi.stubEnv('CLOUDSDK_CONFIG', folder)
  vi.stubEnv('METADATA_SERVER_DETECTION', 'none')
  vi.stubEnv('STORAGE_EMULATOR_HOST', undefined)
})
afterEach(() => {
  vi.unstubAllEnvs()
})

test('a URL opens a bucket, or what is below a prefix, of an emulator', async () => {
  vi.stubEnv('STORAGE_EMULATOR_HOST', fake.url)
  await using whole = await gcsDriver.open(new URL('gs://bucket'))
  await using part = await gcsDriver.open(new URL(`gs://bucket/a/b?endpoint=${fake.url}`))
  const environment = { STORAGE_EMULATOR_HOST: fake.url }
  vi.stubEnv('STORAGE_EMULATOR_HOST', undefined)
  await using third = await gcsDriver.open(new URL('gs://bucket/a'), { environment })
  await part.put('x', new Uint8Array(3))
  expect(await third.head('b/x')).toMatchObject({ size: 3 })
  expect(await whole.head('a/b/x')).toMatchObject({ key: 'a/b/x', size: 3 })
  expect(gcsDriver).toMatchObject({ name: whole.driver, schemes: ['gs'] })
})

test('without credentials it says how to get some, before any request', async () => {
  await expect(gcsDriver.open(new URL('gs://bucket'))).rejects.toMatchObject({
    code: 'permission-denied',
    operation: 'open',
    driver: 'gcs',
    hint: expect.stringMatching(/GOOGLE_APPLICATION_CREDENTIALS.*gcloud auth application-default login/),
  })
})

test('a credentials file that is not there, no JSON or no key is named as such, and its content is not shown', async () => {
  const canary = 'secret-canary-of-the-key'
  for (const [name, content] of [
    ['missing.json', undefined],
    ['text.json', canary],
    ['empty.json', '{}'],
    ['other.json', JSON.stringify({ type: 'service_account', private_key: canary })],
  ] as const) {
    const path = join(folder, name)
    if (content !== undefined) writeFileSync(path, content)
    vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path)
    const error: unknown = await gcsDriver.open(new URL('gs://bucket')).catch((e: unknown) => e)
    expect(error, name).toMatchObject({ code: 'permission-denied', operation: 'open' })
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain(canary)
  }
})

test('a credentials file is enough to open: the service is not asked', async () => {
  const { privateKey } = generateKeyPairSync('rsa', {
    modulusLength: 2048,
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  const path = join(folder, 'key.json')
  writeFileSync(
    path,
    JSON.stringify({ type: 'service_account', client_email: 'a@b.c', private_key: privateKey }),
  )
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', path)
  const warn = vi.spyOn(console, 'warn')
  await using store = await gcsDriver.open(new URL('gs://bucket'))
  expect(store.driver).toBe('gcs')
  expect(warn).not.toHaveBeenCalled()
  vi.stubEnv('GOOGLE_APPLICATION_CREDENTIALS', undefined)
  await expect(gcsDriver.open(new URL('gs://bucket'))).rejects.toMatchObject({ code: 'permission-denied' })
  warn.mockImplementation(() => {})
  const environment = { GOOGLE_APPLICATION_CREDENTIALS: path }
  await using own = await gcsDriver.open(new URL('gs://bucket'), { environment })
  expect(own.driver).toBe('gcs')
  warn.mockRestore()
})

test('an abort rejects with its reason', async () => {
  const reason = new Error('enough')
  const signal = AbortSignal.abort(reason)
  await expect(gcsDriver.open(new URL('gs://bucket'), { signal })).rejects.toBe(reason)
})

test('a token that cannot be had is no fault of the object, and shows nothing', async () => {
  const place = { bucket: 'bucket', prefix: '', endpoint: fake.url, anonymous: false }
  const thrown = Object.assign(new Error('invalid_grant: Bad Request'), {
    response: { status: 400, data: 'ya29.secret-canary' },
    config: { data: 'assertion=ya29.secret-canary' },
  })
  await using store = new GCSStore(new GCSClient(place, () => Promise.reject(thrown), 1000), {})
  for (const call of [
    () => store.head('a'),
    () => store.get('a'),
    () => store.put('a', new Uint8Array(1), { precondition: { kind: 'absent' } }),
    () => store.delete(['a']),
  ]) {
    const error: unknown = await call().catch((e: unknown) => e)
    expect(error).toMatchObject({
      code: 'permission-denied',
      message: expect.stringContaining('invalid_grant'),
    })
    expect(inspect(error, { depth: 20, showHidden: true })).not.toContain('secret-canary')
  }
})

test('a service that is not there is unavailable', async () => {
  await using store = await gcsDriver.open(
    new URL(`gs://bucket?endpoint=http://127.0.0.1:${await freePort()}`),
  )
  await expect(store.head('a')).rejects.toMatchObject({
    code: 'unavailable',
    cause: { code: 'ECONNREFUSED' },
  })
})

test('credentials stay with the endpoint, whatever host an upload session names', () => {
  const place = { bucket: 'bucket', prefix: '', endpoint: 'https://storage.example/base', anonymous: false }
  const client = new GCSClient(place, async () => [], 1000)
  const path = '/upload/storage/v1/b/bucket/o?upload_id=x'
  expect(client.pathOf(`https://storage.example/base${path}`)).toBe(path)
  expect(client.pathOf(`https://elsewhere.example${path}`)).toBe(path)
  expect(client.pathOf(path)).toBe(path)
  client.close()
})
