import { type BlobStore, type OpenOptions, type StorageDriver, withPrefix } from '@sqlstream/storage'
import { DRIVER } from './errors.ts'
import type { S3StoreOptions } from './options.ts'
import { S3Store } from './s3-store.ts'
import { s3Location } from './s3-url.ts'

/** `s3://bucket/prefix?endpoint=…`; see `s3Location`. Sends nothing until the store is used. */
export const s3Driver: StorageDriver = {
  name: DRIVER,
  schemes: ['s3'],
  async open(url: URL, { environment, signal }: OpenOptions = {}): Promise<BlobStore> {
    const location = s3Location(url, environment ?? process.env)
    // A profile of the URL goes before variables, as in the SDK.
    const isOwn = environment !== undefined && location.options.profile === undefined
    const access = isOwn ? accessOf(environment) : {}
    const store = await S3Store.open({ ...access, ...location.options }, { signal })
    return location.prefix === '' ? store : withPrefix(store, location.prefix)
  },
}

/** The SDK's own chain looks into the variables of the process alone, so what it would find in others is given to it. */
function accessOf(
  environment: NonNullable<OpenOptions['environment']>,
): Pick<S3StoreOptions, 'credentials' | 'profile'> {
  const accessKeyId = environment['AWS_ACCESS_KEY_ID']
  const secretAccessKey = environment['AWS_SECRET_ACCESS_KEY']
  const profile = environment['AWS_PROFILE']
  if (!accessKeyId || !secretAccessKey) return profile ? { profile } : {}
  return {
    credentials: {
      accessKeyId,
      secretAccessKey,
      sessionToken: environment['AWS_SESSION_TOKEN'] || undefined,
    },
  }
}
