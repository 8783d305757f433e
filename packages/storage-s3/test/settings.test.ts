import { describe, expect, test } from 'vitest'
import { s3Location } from '../src/index.ts'
import { type S3Settings, settingsOf } from '../src/settings.ts'

const MIB = 2 ** 20

const PLAIN = {
  forcePathStyle: true,
  conditionalPut: false,
  conditionalComplete: false,
  batchDelete: 'md5',
  partConcurrency: 4,
  checksums: false,
  equalParts: false,
  consistentList: true,
  headers: undefined,
}

/** Endpoint, and what follows from it: one row for each row of the table of providers. */
const PROVIDERS: readonly [
  endpoint: string | undefined,
  name: string,
  region: string | undefined,
  differs: object,
][] = [
  [
    undefined,
    'aws',
    undefined,
    {
      forcePathStyle: false,
      conditionalPut: true,
      conditionalComplete: true,
      batchDelete: 'crc32',
      checksums: true,
    },
  ],
  [
    'https://s3.eu-west-1.amazonaws.com',
    'aws',
    'eu-west-1',
    {
      forcePathStyle: false,
      conditionalPut: true,
      conditionalComplete: true,
      batchDelete: 'crc32',
      checksums: true,
    },
  ],
  [
    'https://abc123.r2.cloudflarestorage.com',
    'r2',
    'auto',
    { conditionalPut: true, conditionalComplete: true, partConcurrency: 2, equalParts: true },
  ],
  [
    'https://abc123.eu.r2.cloudflarestorage.com',
    'r2',
    'auto',
    { conditionalPut: true, conditionalComplete: true, partConcurrency: 2, equalParts: true },
  ],
  ['https://s3.us-west-004.backblazeb2.com', 'b2', 'us-west-004', {}],
  [
    'https://fly.storage.tigris.dev',
    'tigris',
    'auto',
    { conditionalPut: true, batchDelete: 'crc32', headers: { 'x-tigris-consistent': 'true' } },
  ],
  [
    'https://t3.storage.dev',
    'tigris',
    'auto',
    { conditionalPut: true, batchDelete: 'crc32', headers: { 'x-tigris-consistent': 'true' } },
  ],
  ['http://minio.example.org:9000', 'self-hosted', undefined, { conditionalPut: true }],
  ['https://fra1.digitaloceanspaces.com', 'digitalocean', 'us-east-1', { conditionalPut: true }],
  ['https://s3.fr-par.scw.cloud', 'scaleway', 'fr-par', {}],
  ['https://fsn1.your-objectstorage.com', 'hetzner', 'fsn1', { conditionalPut: true }],
  ['https://ref.supabase.co/storage/v1/s3', 'supabase', undefined, {}],
  ['https://ns.compat.objectstorage.us-phoenix-1.oraclecloud.com', 'oci', 'us-phoenix-1', {}],
  ['https://s3.filebase.com', 'filebase', 'us-east-1', { consistentList: false }],
  ['https://storage.googleapis.com', 'google', 'auto', { batchDelete: 'none' }],
  ['https://objects.example.org', 'unknown', undefined, {}],
  // A name that only resembles one.
  ['https://r2.cloudflarestorage.com.example.org', 'unknown', undefined, {}],
]

test.each(PROVIDERS)('%s is %s', (endpoint, name, region, differs) => {
  const settings = settingsOf({ bucket: 'b', endpoint })
  expect(settings.provider.name).toBe(name)
  expect(settings.region).toBe(region)
  expect(visible(settings)).toEqual({ ...PLAIN, ...differs })
})

function visible(settings: S3Settings) {
  const { forcePathStyle, conditionalPut, conditionalComplete, batchDelete, partConcurrency, provider } =
    settings
  return {
    forcePathStyle,
    conditionalPut,
    conditionalComplete,
    batchDelete,
    partConcurrency,
    checksums: provider.sendsChecksums,
    equalParts: provider.equalParts,
    consistentList: provider.consistentList,
    headers: provider.headers,
  }
}

test('the forms of a host lead to their providers', () => {
  const providerOf = (url: string) => settingsOf(s3Location(url, {}).options).provider.name
  expect(providerOf('s3://b.fra1.digitaloceanspaces.com/x')).toBe('digitalocean')
  expect(providerOf('s3://b.s3.us-west-004.backblazeb2.com/x')).toBe('b2')
  expect(providerOf('s3://b.s3.filebase.com/x')).toBe('filebase')
  expect(providerOf('s3://b.s3.fr-par.scw.cloud/x')).toBe('scaleway')
  expect(providerOf('s3://b.s3.eu-west-1.amazonaws.com/x')).toBe('aws')
  expect(providerOf('s3://b.localhost:9000/x')).toBe('self-hosted')
})

describe('what is given counts more than the provider', () => {
  test.each([
    [{ region: 'x' }, { region: 'x' }],
    [{ forcePathStyle: false }, { forcePathStyle: false }],
    [{ conditionalPut: false }, { conditionalPut: false, conditionalComplete: false }],
    [{ conditionalComplete: false }, { conditionalPut: true, conditionalComplete: false }],
    [{ requireContentMD5: false }, { batchDelete: 'crc32' }],
    [{ concurrency: 7 }, { partConcurrency: 7 }],
  ])('%j', (given, expected) => {
    expect(
      settingsOf({ bucket: 'b', endpoint: 'https://a.r2.cloudflarestorage.com', ...given }),
    ).toMatchObject(expected)
  })
})

describe('parts', () => {
  test('grow, so that 10,000 hold terabytes, and begin at what was asked for', () => {
    const { partSizeOf } = settingsOf({ bucket: 'b' })
    expect([1, 1000, 1001, 9001].map((n) => partSizeOf(n, undefined) / MIB)).toEqual([8, 8, 16, 4096])
    const small = settingsOf({ bucket: 'b', partSize: 5 * MIB })
    expect([1, 1001].map((n) => small.partSizeOf(n, undefined) / MIB)).toEqual([5, 10])
  })

  test('are equal where a service wants that, and as large as the size asks for', () => {
    const { partSizeOf } = settingsOf({ bucket: 'b', endpoint: 'https://a.r2.cloudflarestorage.com' })
    expect([1, 1001].map((n) => partSizeOf(n, undefined) / MIB)).toEqual([32, 32])
    const size = 1000 * 2 ** 30
    const part = partSizeOf(1, size)
    expect(part % MIB).toBe(0)
    expect(part * 10_000).toBeGreaterThanOrEqual(size)
  })
})
