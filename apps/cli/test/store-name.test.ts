import { describe, expect, it } from 'vitest'
import { nameOf } from '../src/folder-replication.ts'

const name = (url: string, environment: Record<string, string> = {}): string =>
  nameOf(new URL(url), environment)

describe('the name of a store, by which a rest is known again', () => {
  it('is the same for the same store, also with other keys of a session', () => {
    const url = 's3://bucket/tenants'
    expect(name(url, { AWS_SESSION_TOKEN: 'a', PATH: '/bin' })).toBe(name(url, { AWS_SESSION_TOKEN: 'b' }))
    expect(name(url, { AWS_PROFILE: 'x', AWS_ENDPOINT_URL: 'y' })).toBe(
      name(url, { AWS_ENDPOINT_URL: 'y', AWS_PROFILE: 'x' }),
    )
  })

  it.each([
    ['s3://bucket/tenants', 's3://bucket/other', {}],
    ['s3://bucket/tenants', 's3://bucket/tenants?endpoint=http://127.0.0.1:9000', {}],
    ['abs://one@container/x', 'abs://two@container/x', {}],
    ['s3://bucket/tenants', 's3://bucket/tenants', { AWS_ENDPOINT_URL: 'http://127.0.0.1:9000' }],
    ['s3://bucket/tenants', 's3://bucket/tenants', { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:9000' }],
    ['s3://bucket/tenants', 's3://bucket/tenants', { AWS_PROFILE: 'other' }],
    ['abs://container/x', 'abs://container/x', { AZURE_STORAGE_ACCOUNT: 'other' }],
    ['gs://bucket/x', 'gs://bucket/x', { STORAGE_EMULATOR_HOST: '127.0.0.1:1' }],
    ['nats://host/bucket', 'nats://host/bucket', { NATS_USER: 'other' }],
  ])('differs between %s and %s with %j', (one, other, environment) => {
    expect(name(one)).not.toBe(name(other, environment))
  })

  it('tells no secret', () => {
    expect(name('nats://token@host/bucket')).not.toContain('token')
  })
})
