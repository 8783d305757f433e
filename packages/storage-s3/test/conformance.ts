import { withPrefix } from '@sqlstream/storage'
import { describeConformance, type Harness } from '@sqlstream/storage-conformance'
import { freePort } from '@sqlstream/testkit/servers'
import { describe, it } from 'vitest'
import { S3Store, type S3StoreOptions } from '../src/index.ts'
import { CREDENTIALS, localOptions, OTHERS } from './conformance-options.ts'

export interface S3ConformanceOptions extends Pick<Harness, 'manyKeys' | 'largeBytes'> {
  /** Where the server is, when the tests run. */
  readonly endpoint: () => string
  /** Beside `localOptions`. */
  readonly store?: Partial<S3StoreOptions>
  /** Whether the server looks at signatures. Default: true. */
  readonly checksSignatures?: boolean
}

/** Registers the whole suite for a server. */
export function s3Conformance(name: string, options: S3ConformanceOptions): void {
  const { endpoint, store = {}, checksSignatures = true, ...harness } = options
  const open = (more: Partial<S3StoreOptions> = {}) =>
    S3Store.open(localOptions(endpoint(), { ...store, ...more }))
  describeConformance({ describe, it }, name, {
    ...harness,
    secrets: [CREDENTIALS.secretAccessKey, OTHERS.secretAccessKey],
    open: async () => withPrefix(await open(), 'some/prefix/'),
    openMissing: () => open({ bucket: 'no-such-bucket' }),
    ...(checksSignatures ? { openDenied: () => open({ credentials: OTHERS }) } : {}),
    openUnreachable: async () => open({ endpoint: `http://127.0.0.1:${await freePort()}` }),
  })
}
