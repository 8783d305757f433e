import { isStorageError } from '@sqlstream/storage'
import { describe, expect, test } from 'vitest'
import { type S3StoreOptions, s3Location } from '../src/index.ts'

const KEY = Buffer.alloc(32, 7).toString('base64')
const KEY_MD5 = 'y4HAEFCYWuvAXWFTtA1Qpg=='
const query = (parameters: Record<string, string>): string => String(new URLSearchParams(parameters))

/** A URL, what it means, the prefix. */
const URLS: readonly [url: string, options: S3StoreOptions, prefix: string][] = [
  ['s3://bucket', { bucket: 'bucket' }, ''],
  ['s3://bucket/', { bucket: 'bucket' }, ''],
  ['s3://bucket/some/db', { bucket: 'bucket' }, 'some/db/'],
  ['s3://my.bucket//some//db/', { bucket: 'my.bucket' }, 'some/db/'],
  ['s3://bucket/a/../b', { bucket: 'bucket' }, 'b/'],
  ['s3://bucket.s3.amazonaws.com/db', { bucket: 'bucket' }, 'db/'],
  ['s3://bucket.s3.eu-west-1.amazonaws.com/db', { bucket: 'bucket', region: 'eu-west-1' }, 'db/'],
  ['s3://my.bucket.s3-eu-west-1.amazonaws.com', { bucket: 'my.bucket', region: 'eu-west-1' }, ''],
  [
    's3://bucket.fra1.digitaloceanspaces.com/db',
    { bucket: 'bucket', endpoint: 'https://fra1.digitaloceanspaces.com' },
    'db/',
  ],
  [
    's3://bucket.s3.us-west-004.backblazeb2.com/db',
    { bucket: 'bucket', region: 'us-west-004', endpoint: 'https://s3.us-west-004.backblazeb2.com' },
    'db/',
  ],
  ['s3://bucket.s3.filebase.com/db', { bucket: 'bucket', endpoint: 'https://s3.filebase.com' }, 'db/'],
  [
    's3://bucket.s3.fr-par.scw.cloud/db',
    { bucket: 'bucket', region: 'fr-par', endpoint: 'https://s3.fr-par.scw.cloud' },
    'db/',
  ],
  ['s3://bucket.localhost:9000/db', { bucket: 'bucket', endpoint: 'http://localhost:9000' }, 'db/'],
  ['s3://bucket.192.168.1.9:9000/db', { bucket: 'bucket', endpoint: 'http://192.168.1.9:9000' }, 'db/'],
  [
    's3://bucket.minio.example.org:9000/db',
    { bucket: 'bucket', endpoint: 'https://minio.example.org:9000' },
    'db/',
  ],
  [
    's3://arn:aws:s3:us-east-2:123456789012:accesspoint/db-access/some/db',
    { bucket: 'arn:aws:s3:us-east-2:123456789012:accesspoint/db-access', region: 'us-east-2' },
    'some/db/',
  ],
  [
    's3://arn%3Aaws%3As3%3Aus-east-2%3A123456789012%3Aaccesspoint/db-access',
    { bucket: 'arn:aws:s3:us-east-2:123456789012:accesspoint/db-access', region: 'us-east-2' },
    '',
  ],
  ['s3://b/?endpoint=localhost:9000', { bucket: 'b', endpoint: 'http://localhost:9000' }, ''],
  ['s3://b/?endpoint=minio:9000', { bucket: 'b', endpoint: 'http://minio:9000' }, ''],
  ['s3://b/?endpoint=10.0.0.7:9000', { bucket: 'b', endpoint: 'http://10.0.0.7:9000' }, ''],
  ['s3://b/?endpoint=172.20.0.7', { bucket: 'b', endpoint: 'http://172.20.0.7' }, ''],
  ['s3://b/?endpoint=172.32.0.7', { bucket: 'b', endpoint: 'https://172.32.0.7' }, ''],
  ['s3://b/?endpoint=s3.example.org', { bucket: 'b', endpoint: 'https://s3.example.org' }, ''],
  [
    's3://b/?endpoint=https://ref.supabase.co/storage/v1/s3/',
    { bucket: 'b', endpoint: 'https://ref.supabase.co/storage/v1/s3' },
    '',
  ],
  [
    's3://b/?region=eu-west-1&forcePathStyle=true&skipVerify=1&signPayload=f&requireContentMD5=no',
    {
      bucket: 'b',
      region: 'eu-west-1',
      forcePathStyle: true,
      skipVerify: true,
      signPayload: false,
      requireContentMD5: false,
    },
    '',
  ],
  [
    's3://b/?force-path-style=false&skip-verify=no&sign-payload=YES&require-content-md5=t&storage-class=GLACIER_IR',
    {
      bucket: 'b',
      forcePathStyle: false,
      skipVerify: false,
      signPayload: true,
      requireContentMD5: true,
      storageClass: 'GLACIER_IR',
    },
    '',
  ],
  ['s3://b/?partSize=5242880&concurrency=2', { bucket: 'b', partSize: 5 << 20, concurrency: 2 }, ''],
  [
    's3://b/?part-size=10485760&parallelism=8&profile=backup&conditionalPut=false&conditional-copy=true',
    {
      bucket: 'b',
      partSize: 10 << 20,
      parallelism: 8,
      profile: 'backup',
      conditionalPut: false,
      conditionalCopy: true,
    },
    '',
  ],
  [
    `s3://b/?${query({ sseCustomerKey: KEY })}`,
    { bucket: 'b', encryption: { kind: 'customer', key: KEY } },
    '',
  ],
  [
    `s3://b/?${query({ 'sse-customer-key': KEY, 'sse-customer-algorithm': 'AES256', 'sse-customer-key-md5': KEY_MD5 })}`,
    { bucket: 'b', encryption: { kind: 'customer', key: KEY } },
    '',
  ],
  ['s3://b/?sseKmsKeyId=alias/db', { bucket: 'b', encryption: { kind: 'kms', keyId: 'alias/db' } }, ''],
]

test.each(URLS)('%s', (url, options, prefix) => {
  expect(s3Location(url, {})).toEqual({ options, prefix })
})

const BAD: readonly [url: string, problem: string, hint?: string][] = [
  ['file:///x', 'is not an s3:// URL'],
  ['s3:///db', 'names no bucket'],
  ['s3://user:canary@bucket/db', 'has a user or a password', 'AWS_ACCESS_KEY_ID'],
  ['s3://bucket/db#part', 'has a fragment'],
  ['s3://bucket/a%20b', 'has a path that is no prefix'],
  ['s3://bucket/%', 'has a path that cannot be decoded'],
  ['s3://bucket:9000/db', 'has a port but no bucket'],
  ['s3://bucket.host:9000/db?endpoint=localhost:1', 'has a port in its bucket, and an endpoint'],
  ['s3://arn:aws:s3::123456789012:accesspoint/alias.mrap/db', 'is not one of an access point in a region'],
  ['s3://arn:aws:s3:eu-west-1:123456789012:bucket/name', 'is not one of an access point in a region'],
  ['s3://b:c:d/db', 'is not a URL'],
  ['s3://b/?regio=x', 'unknown parameter "regio"', 'Did you mean region?'],
  ['s3://b/?forcepathstyle=true', 'unknown parameter "forcepathstyle"', 'Did you mean forcePathStyle?'],
  ['s3://b/?accessKeyId=canary', 'unknown parameter "accessKeyId"', 'Known: '],
  ['s3://b/?partSize=6000000&part-size=6000000', 'has partSize twice'],
  ['s3://b/?region=', 'has a region without a value'],
  ['s3://b/?partSize=5242879', 'not an integer from 5242880'],
  ['s3://b/?partSize=5MiB', 'not an integer'],
  ['s3://b/?concurrency=0', 'not an integer from 1'],
  ['s3://b/?skipVerify=maybe', 'neither true nor false'],
  ['s3://b/?endpoint=ftp://host', 'has an endpoint that is not'],
  ['s3://b/?endpoint=https://me:canary@host', 'has an endpoint that is not'],
  ['s3://b/?endpoint=https://host/?a=b', 'has an endpoint that is not'],
  ['s3://b/?sseCustomerKey=canary', 'not 32 bytes in base64'],
  ['s3://b/?sseCustomerAlgorithm=AES256', 'has no sseCustomerKey'],
  [`s3://b/?${query({ sseCustomerKey: KEY, sseCustomerAlgorithm: 'DES' })}`, 'that is not AES256'],
  [`s3://b/?${query({ sseCustomerKey: KEY, sseCustomerKeyMD5: 'canary' })}`, 'not that of the key'],
  [`s3://b/?${query({ sseCustomerKey: KEY, sseKmsKeyId: 'k' })}`, 'has both'],
  [`s3://b/?${query({ sseCustomerKey: KEY, endpoint: 'http://s3.example.org' })}`, 'without encryption'],
]

test.each(BAD)('%s is refused', (url, problem, hint) => {
  let error: unknown
  try {
    s3Location(url, {})
  } catch (caught) {
    error = caught
  }
  if (!isStorageError(error, 'invalid-config')) throw error
  expect(error.message).toContain(problem)
  if (hint !== undefined) expect(error.hint).toContain(hint)
  expect(error).toMatchObject({ driver: 's3', operation: 'open' })
  expect(error.message + error.hint).not.toMatch(/canary|BwcHBwcH/)
})

describe('the environment', () => {
  const keys = { LITESTREAM_ACCESS_KEY_ID: 'a', LITESTREAM_SECRET_ACCESS_KEY: 's' }
  const credentials = { accessKeyId: 'a', secretAccessKey: 's' }

  test.each<[string, Record<string, string>, Partial<S3StoreOptions>]>([
    ['s3://b', { AWS_ACCESS_KEY_ID: 'x', AWS_SECRET_ACCESS_KEY: 'y', ...keys }, {}],
    ['s3://b', keys, { credentials }],
    ['s3://b', { LITESTREAM_ACCESS_KEY_ID: 'a' }, {}],
    [
      's3://b',
      { AWS_ACCESS_KEY_ID: 'x', LITESTREAM_SECRET_ACCESS_KEY: 's' },
      { credentials: { accessKeyId: 'x', secretAccessKey: 's' } },
    ],
    ['s3://b', { AWS_REGION: 'eu-west-1', AWS_DEFAULT_REGION: 'x' }, { defaultRegion: 'eu-west-1' }],
    ['s3://b', { AWS_DEFAULT_REGION: 'eu-west-2' }, { defaultRegion: 'eu-west-2' }],
    ['s3://b?region=r', { AWS_REGION: 'eu-west-1' }, { region: 'r', defaultRegion: 'eu-west-1' }],
    ['s3://b', { AWS_ENDPOINT_URL: 'http://localhost:1' }, { endpoint: 'http://localhost:1' }],
    [
      's3://b',
      { AWS_ENDPOINT_URL_S3: 'https://s', AWS_ENDPOINT_URL: 'https://x' },
      { endpoint: 'https://s' },
    ],
    [
      's3://b',
      { LITESTREAM_S3_ENDPOINT: 'localhost:2', AWS_ENDPOINT_URL: 'https://x' },
      { endpoint: 'http://localhost:2' },
    ],
    ['s3://b?endpoint=localhost:3', { AWS_ENDPOINT_URL: 'https://x' }, { endpoint: 'http://localhost:3' }],
  ])('%s with %j', (url, environment, options) => {
    expect(s3Location(url, environment).options).toEqual({ bucket: 'b', ...options })
  })
})
