import { createHash, randomUUID } from 'node:crypto'
import type { BlobInfo } from '@sqlstream/storage'
import { type GCSClient, parseAnswer } from './gcs-client.ts'
import type { CallContext } from './gcs-errors.ts'
import { infoOf, OBJECT_FIELDS } from './object-resource.ts'

/** What all requests of an upload share. */
export interface Upload {
  readonly key: string
  /** Generation that must be there; '0' for none; undefined for any. */
  readonly ifGeneration: string | undefined
  readonly metadata: Readonly<Record<string, string>> | undefined
  readonly context: CallContext
  readonly signal: AbortSignal | undefined
}

export const CONTENT_TYPE: string = 'application/octet-stream'

/** An object in one request. The service compares the MD5 and stores nothing when it differs. */
export async function uploadOnce(client: GCSClient, upload: Upload, bytes: Uint8Array): Promise<BlobInfo> {
  const boundary = randomUUID()
  const resource = JSON.stringify({
    name: upload.key,
    contentType: CONTENT_TYPE,
    md5Hash: createHash('md5').update(bytes).digest('base64'),
    ...(upload.metadata === undefined ? {} : { metadata: upload.metadata }),
  })
  const head =
    `--${boundary}\r\ncontent-type: application/json\r\n\r\n${resource}\r\n` +
    `--${boundary}\r\ncontent-type: ${CONTENT_TYPE}\r\n\r\n`
  const { key, context, signal } = upload
  const answer = await client.call({
    method: 'POST',
    path: client.uploadPath,
    query: {
      uploadType: 'multipart',
      name: key,
      ifGenerationMatch: upload.ifGeneration,
      fields: OBJECT_FIELDS,
    },
    headers: { 'content-type': `multipart/related; boundary=${boundary}` },
    body: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
    context,
    signal,
  })
  return infoOf(parseAnswer(answer, context), context)
}
