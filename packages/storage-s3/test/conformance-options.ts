import type { S3StoreOptions } from '../src/index.ts'

export const CREDENTIALS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'canary-secret-key' }
export const OTHERS = { accessKeyId: 'AKIDEXAMPLE', secretAccessKey: 'canary-wrong-key' }

/** Options for a server on this machine. */
export function localOptions(endpoint: string, more: Partial<S3StoreOptions> = {}): S3StoreOptions {
  return { bucket: 'bucket', endpoint, credentials: CREDENTIALS, ...more }
}
