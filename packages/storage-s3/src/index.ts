export type { S3Credentials, S3Encryption, S3StoreOptions } from './options.ts'
export { s3Driver } from './s3-driver.ts'
export { S3Store } from './s3-store.ts'
export { type S3Location, s3Location } from './s3-url.ts'
