import type { BlobSASPermissions, BlobSyncCopyFromURLOptions, BlockBlobClient } from '@azure/storage-blob'
import {
  type BlobInfo,
  type CopyOptions,
  isStorageError,
  putDecisively,
  retryTransient,
  StorageError,
} from '@sqlstream/storage'
import { infoOf } from './info.ts'
import type { RequestContext, Requests } from './requests.ts'
import { DRIVER, isBlobMissing, serviceCode } from './service-errors.ts'
import { settings } from './upload.ts'

/** Bytes that one request copies at most. */
const MAX_COPY = 256 * 2 ** 20
/** For so long the service may read the source by the address that it is given, milliseconds. */
const ACCESS_MS = 3_600_000
/** Metadata of a copy: which call made it. Hyphens are not allowed here. */
const COPY_ID = 'sqlstreamcopy'
const SCOPE = 'https://storage.azure.com/.default'

/** A copy within an account. */
export interface Copy {
  readonly source: BlockBlobClient
  readonly sourceKey: string
  readonly blob: BlockBlobClient
  readonly requests: Requests
  readonly context: RequestContext & { readonly key: string }
  readonly options: CopyOptions
}

/**
 * Copies a blob within an account: two requests, one of them for the size of the source. Undefined for another account, for more than
 * 256 MiB, and where the service is not let read the source.
 */
export async function copyBlob(copy: Copy): Promise<BlobInfo | undefined> {
  const { source, blob, context, options } = copy
  const { signal } = context
  if (source.accountName !== blob.accountName || originOf(source) !== originOf(blob)) return undefined
  const { size, etag } = await headSource(copy)
  if (size > MAX_COPY) return undefined
  const { url, authorization } = await accessTo(source)
  const send = (id?: string): Promise<BlobInfo> =>
    copy.requests.once({ ...context, bytes: size }, async (abortSignal) => {
      const { metadata, conditions } = settings(options)
      const answer = await blob.syncCopyFromURL(url, {
        ...(conditions && { conditions }),
        ...((metadata || id) && { metadata: { ...metadata, ...(id && { [COPY_ID]: id }) } }),
        ...(authorization && { sourceAuthorization: authorization }),
        sourceConditions: { ifMatch: `"${etag}"` },
        abortSignal,
      })
      return infoOf(context, { ...answer, contentLength: size })
    })
  try {
    if (options.precondition === undefined) return await retryTransient(send, { signal })
    const id = crypto.randomUUID()
    return await putDecisively({ send: () => send(id), find: () => find(copy, id) }, { signal })
  } catch (error) {
    signal?.throwIfAborted()
    const isLeft = isStorageError(error, 'permission-denied') || isStorageError(error, 'unsupported')
    if (isLeft || SOURCE_REFUSED.has(serviceCode(error) ?? '')) return undefined
    throw error
  }
}

/** The source was replaced meanwhile, or cannot be read by the service. */
const SOURCE_REFUSED: ReadonlySet<string> = new Set(['SourceConditionNotMet', 'CannotVerifyCopySource'])

function originOf({ url }: BlockBlobClient): string {
  return new URL(url).origin
}

async function headSource({ source, sourceKey, requests, context }: Copy): Promise<BlobInfo> {
  try {
    return infoOf(
      context,
      await requests.repeated(context, (abortSignal) => source.getProperties({ abortSignal })),
    )
  } catch (error) {
    if (!isBlobMissing(error)) throw error
    const { operation, key } = context
    const message = `there is no object ${sourceKey} to copy`
    throw new StorageError(message, { code: 'not-found', driver: DRIVER, operation, key, cause: error })
  }
}

/** The blob that is there, if this call made it. */
async function find({ blob, requests, context }: Copy, id: string): Promise<BlobInfo | undefined> {
  const answer = await requests.repeated(context, (abortSignal) => blob.getProperties({ abortSignal }))
  return answer.metadata?.[COPY_ID] === id ? infoOf(context, answer) : undefined
}

/** How the service may read a blob: by a signature for it alone where we have the key, else as we do. */
async function accessTo(source: BlockBlobClient): Promise<{
  readonly url: string
  readonly authorization?: BlobSyncCopyFromURLOptions['sourceAuthorization']
}> {
  const { credential } = source
  if ('accountName' in credential) {
    const expiresOn = new Date(Date.now() + ACCESS_MS)
    const { BlobSASPermissions: Permissions } = await import('@azure/storage-blob')
    const permissions: BlobSASPermissions = Permissions.parse('r')
    return { url: await source.generateSasUrl({ permissions, expiresOn }) }
  }
  if (!('getToken' in credential)) return { url: source.url }
  const token = await credential.getToken(SCOPE)
  if (token === null) return { url: source.url }
  return { url: source.url, authorization: { scheme: 'Bearer', value: token.token } }
}
