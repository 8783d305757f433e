import { partSize as growingPartSize } from '@sqlstream/storage'
import type { S3StoreOptions } from './options.ts'
import { type Provider, providerOf } from './providers.ts'

/** Everything that a store goes by: options, and what the provider makes of those that were not given. */
export interface S3Settings
  extends Omit<
    S3StoreOptions,
    'requireContentMD5' | 'region' | 'partSize' | 'concurrency' | 'conditionalComplete' | 'conditionalCopy'
  > {
  readonly provider: Provider
  /** Undefined: to be found out, beginning with the default region. */
  readonly region: string | undefined
  readonly forcePathStyle: boolean
  readonly batchDelete: Provider['batchDelete']
  readonly conditionalPut: boolean
  readonly conditionalComplete: boolean
  readonly conditionalCopy: boolean
  readonly partConcurrency: number
  readonly parallelism: number
  readonly timeoutMs: number
  /** Bytes of part `n` of an upload, from 1, of a body of so many bytes. */
  readonly partSizeOf: (n: number, size: number | undefined) => number
}

const MIB = 2 ** 20
const MAX_PARTS = 10_000
const FIRST_PART = 8 * MIB
/** Equal parts of a body whose size nobody knows: 10,000 of them are 312 GiB. */
const EQUAL_PART = 32 * MIB

/** @throws TypeError when the endpoint is no URL */
export function settingsOf(options: S3StoreOptions): S3Settings {
  const provider = providerOf(options.endpoint)
  const { partSize, concurrency, requireContentMD5, ...rest } = options
  const host = options.endpoint === undefined ? '' : new URL(options.endpoint).hostname
  const conditionalPut = options.conditionalPut ?? provider.conditionalPut
  return {
    ...rest,
    provider,
    region: options.region ?? provider.region?.(host),
    forcePathStyle: options.forcePathStyle ?? provider.pathStyle,
    batchDelete: batchDelete(provider, requireContentMD5),
    conditionalPut,
    conditionalComplete: conditionalPut && (options.conditionalComplete ?? provider.conditionalComplete),
    conditionalCopy: conditionalPut && (options.conditionalCopy ?? provider.conditionalCopy),
    partConcurrency: concurrency ?? provider.partConcurrency,
    parallelism: options.parallelism ?? 32,
    timeoutMs: options.timeoutMs ?? 30_000,
    partSizeOf: provider.equalParts ? equalParts(partSize ?? EQUAL_PART) : growingParts(partSize),
  }
}

function batchDelete(provider: Provider, requireMD5: boolean | undefined): Provider['batchDelete'] {
  if (requireMD5 === undefined || provider.batchDelete === 'none') return provider.batchDelete
  return requireMD5 ? 'md5' : 'crc32'
}

function growingParts(first = FIRST_PART): S3Settings['partSizeOf'] {
  return (n) => Math.ceil((first * growingPartSize(n)) / growingPartSize(1))
}

function equalParts(least: number): S3Settings['partSizeOf'] {
  return (_, size = 0) => Math.max(least, Math.ceil(size / MAX_PARTS / MIB) * MIB)
}
