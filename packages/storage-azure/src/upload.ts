import type { BlockBlobClient, BlockBlobUploadOptions } from '@azure/storage-blob'
import {
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type PutOptions,
  putDecisively,
  retryTransient,
  rfc3339,
} from '@sqlstream/storage'
import { type Blocks, readParts, stageBlocks } from './blocks.ts'
import { infoOf } from './info.ts'
import type { RequestContext, Requests } from './requests.ts'
import { serviceCode } from './service-errors.ts'

/** A put into one blob. */
export interface Upload {
  readonly blob: BlockBlobClient
  readonly requests: Requests
  readonly context: RequestContext & { readonly key: string }
  readonly body: BlobBody
  readonly options: PutOptions
  /** Reads what is there, to find out what became of a request. */
  readonly read: () => Promise<BlobContent>
  /** Called before the first of many blocks. @throws StorageError when the precondition does not hold even now */
  readonly precheck: () => Promise<void>
}

/**
 * Puts a body: in one request when one part holds it all, else in blocks that become the blob with the last request. A block is
 * sent again alone; the body is read again only when another writer's commit has swept our blocks away.
 */
export async function upload(put: Upload): Promise<BlobInfo> {
  const { blob, requests, context, body } = put
  const reading = readParts(body, context.signal)
  const ahead: Uint8Array[] = []
  // Only the end of a body says that its size was true, so one part is not enough to know that there is one.
  while (ahead.length < 2) {
    const { value } = await reading.parts.next()
    if (value === undefined) return putWhole(put, ahead[0] ?? new Uint8Array(0))
    ahead.push(value)
  }
  let blocks: Blocks | undefined
  try {
    await put.precheck()
    blocks = await stageBlocks(blob, requests, context, reading, ahead)
  } finally {
    await reading.parts.return()
  }
  return decide(put, body, async () => {
    blocks ??= await stageBlocks(blob, requests, context, readParts(body, context.signal))
    try {
      return await commit(put, blocks)
    } catch (error) {
      if (serviceCode(error) === 'InvalidBlockList') blocks = undefined
      throw error
    }
  })
}

function putWhole(put: Upload, bytes: Uint8Array): Promise<BlobInfo> {
  const { blob, requests, context, options } = put
  const size = bytes.length
  return decide(put, bytes, () =>
    requests.once({ ...context, bytes: size }, async (abortSignal) => {
      const answer = await blob.upload(bytes, size, { ...settings(options), abortSignal })
      return infoOf(context, { ...answer, contentLength: size })
    }),
  )
}

function commit({ blob, requests, context, options }: Upload, { ids, size }: Blocks): Promise<BlobInfo> {
  return requests.once(context, async (abortSignal) => {
    const answer = await blob.commitBlockList([...ids], { ...settings(options), abortSignal })
    return infoOf(context, { ...answer, contentLength: size })
  })
}

/** Sends what makes a blob visible until it is known whether it did. */
function decide(
  { context, options, read }: Upload,
  body: BlobBody,
  send: () => Promise<BlobInfo>,
): Promise<BlobInfo> {
  const { signal } = context
  if (options.precondition === undefined) return retryTransient(send, { signal })
  return putDecisively({ body, send, read }, { signal })
}

export type Settings = Pick<BlockBlobUploadOptions, 'conditions' | 'metadata'>

/** What a put or a copy gives a blob besides its bytes. */
export function settings({ precondition, timestamp }: PutOptions): Settings {
  // Where Litestream looks for the time of a file; hyphens are not allowed here.
  const metadata = timestamp === undefined ? {} : { metadata: { litestreamtimestamp: rfc3339(timestamp) } }
  switch (precondition?.kind) {
    case undefined:
      return metadata
    case 'absent':
      return { ...metadata, conditions: { ifNoneMatch: '*' } }
    case 'match':
      return { ...metadata, conditions: { ifMatch: `"${precondition.etag}"` } }
  }
}
