import type { AbortOptions, BlobInfo } from '@sqlstream/storage'
import type { S3Connection } from './connection.ts'
import type { CallContext } from './errors.ts'
import { customerKeyFields, infoOf } from './object-info.ts'

/** What a HEAD tells. */
export interface ObjectHead {
  readonly info: BlobInfo
  /** Keys in lower case. */
  readonly metadata: Readonly<Record<string, string>>
}

/** One request. @throws StorageError 'not-found' */
export async function headObject(
  connection: S3Connection,
  key: string,
  context: CallContext,
  { signal }: AbortOptions,
): Promise<ObjectHead> {
  const { bucket, encryption } = connection.settings
  const answer = await connection.retried({ context, signal }, (client, sdk, http) => {
    const input = { Bucket: bucket, Key: key, ...customerKeyFields(encryption) }
    return client.send(new sdk.HeadObjectCommand(input), http)
  })
  return { info: infoOf(key, answer.ContentLength ?? 0, answer), metadata: answer.Metadata ?? {} }
}
