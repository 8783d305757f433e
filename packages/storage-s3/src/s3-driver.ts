import { type AbortOptions, type BlobStore, type StorageDriver, withPrefix } from '@sqlstream/storage'
import { DRIVER } from './errors.ts'
import { S3Store } from './s3-store.ts'
import { s3Location } from './s3-url.ts'

/** `s3://bucket/prefix?endpoint=…`; see `s3Location`. Sends nothing until the store is used. */
export const s3Driver: StorageDriver = {
  name: DRIVER,
  schemes: ['s3'],
  async open(url: URL, options: AbortOptions = {}): Promise<BlobStore> {
    const location = s3Location(url, process.env)
    const store = await S3Store.open(location.options, options)
    return location.prefix === '' ? store : withPrefix(store, location.prefix)
  },
}
