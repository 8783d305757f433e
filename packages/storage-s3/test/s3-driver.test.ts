import type { BlobStore } from '@sqlstream/storage'
import { FakeS3 } from '@sqlstream/testkit/servers'
import { afterAll, expect, test } from 'vitest'
import { s3Driver } from '../src/index.ts'
import { CREDENTIALS } from './conformance-options.ts'

const fake = await FakeS3.start({ credentials: CREDENTIALS })
afterAll(() => fake[Symbol.asyncDispose]())

const url = `s3://bucket/a/b?endpoint=${encodeURIComponent(fake.url)}`
const { accessKeyId, secretAccessKey } = CREDENTIALS
const right = { AWS_ACCESS_KEY_ID: accessKeyId, AWS_SECRET_ACCESS_KEY: secretAccessKey }

function open(environment: Record<string, string>, text = url): Promise<BlobStore> {
  return s3Driver.open(new URL(text), { environment })
}

test('variables that are given are those that count, for each store its own', async () => {
  await using store = await open(right)
  await using wrong = await open({ ...right, AWS_SECRET_ACCESS_KEY: 'wrong-canary' })
  await store.put('key', Uint8Array.of(1))
  expect([...fake.bucket('bucket').objects.keys()]).toEqual(['a/b/key'])
  await expect(wrong.head('key')).rejects.toMatchObject({ code: 'permission-denied' })
  expect(await store.head('key')).toMatchObject({ size: 1 })
})

test("Litestream's names count, and those of AWS go before them", async () => {
  const litestream = { LITESTREAM_ACCESS_KEY_ID: accessKeyId, LITESTREAM_SECRET_ACCESS_KEY: secretAccessKey }
  await using store = await open(litestream)
  await store.put('key', Uint8Array.of(1))
  await using wrong = await open({ ...litestream, ...right, AWS_SECRET_ACCESS_KEY: 'wrong' })
  await expect(wrong.head('key')).rejects.toMatchObject({ code: 'permission-denied' })
})

test('a profile of the URL goes before the keys of variables', async () => {
  await using store = await open(right, `${url}&profile=none-of-this-name`)
  await expect(store.head('key')).rejects.toMatchObject({ code: 'permission-denied' })
})
