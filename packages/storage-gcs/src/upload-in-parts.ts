import { createHash, type Hash } from 'node:crypto'
import {
  type BlobInfo,
  isStorageError,
  type RetryOptions,
  retryTransient,
  type StorageError,
  type StorageErrorCode,
} from '@sqlstream/storage'
import { type GCSAnswer, type GCSClient, parseAnswer } from './gcs-client.ts'
import { describe, failure } from './gcs-errors.ts'
import { infoOf, UPLOAD_FIELDS } from './object-resource.ts'
import { CONTENT_TYPE, type Upload } from './upload-once.ts'

const GOES_ON = 308
/** The service does not know the session (any more). */
const LOST: readonly number[] = [404, 410]

/**
 * An object in a resumable session, part by part. The condition is kept until the object appears, which is when the
 * last part is in and the MD5 of all bytes agrees. After a lost answer the session is asked what it has, so parts may be
 * repeated, and of the last it is known what became of it.
 * @throws StorageError 'unavailable', transient, when the session is lost: start again
 */
export async function uploadInParts(
  client: GCSClient,
  upload: Upload,
  parts: AsyncIterator<Uint8Array, void>,
  retry: RetryOptions,
): Promise<BlobInfo> {
  const session = new Session(client, upload, await startSession(client, upload, retry), retry)
  let part = await parts.next()
  while (part.done !== true) {
    const following = await parts.next()
    const stored = await session.send(part.value, following.done === true)
    if (stored !== undefined) return stored
    part = following
  }
  throw failure(
    upload.context,
    'unknown',
    `${describe(upload.context)}: the upload did not end with its last part`,
  )
}

async function startSession(client: GCSClient, upload: Upload, retry: RetryOptions): Promise<string> {
  const { key, metadata, context, signal } = upload
  const resource = { name: key, contentType: CONTENT_TYPE, ...(metadata === undefined ? {} : { metadata }) }
  const request = {
    method: 'POST',
    path: client.uploadPath,
    query: {
      uploadType: 'resumable',
      name: key,
      ifGenerationMatch: upload.ifGeneration,
      fields: UPLOAD_FIELDS,
    },
    headers: { 'content-type': 'application/json', 'x-upload-content-type': CONTENT_TYPE },
    body: Buffer.from(JSON.stringify(resource)),
    context,
    signal,
  } as const
  // A session that nobody uses has no effect, so this may be repeated.
  const { header } = await retryTransient(() => client.call(request), { ...retry, signal })
  const location = header('location')
  if (location === undefined) {
    throw failure(context, 'unknown', `${describe(context)}: the service gave no address for an upload`)
  }
  return client.pathOf(location)
}

/** What a session answers: all is stored, or it holds the bytes before `persisted`, or it is gone. */
type State =
  | { readonly kind: 'stored'; readonly answer: GCSAnswer }
  | { readonly kind: 'open'; readonly persisted: number }
  | { readonly kind: 'lost' }

/** The end of an upload. */
interface Ending {
  readonly total: number
  /** Of all bytes, in base64. */
  readonly md5: string
}

class Session {
  readonly #client: GCSClient
  readonly #upload: Upload
  readonly #path: string
  readonly #retry: RetryOptions
  readonly #md5: Hash = createHash('md5')
  /** Bytes before the part that is being sent. */
  #before = 0

  constructor(client: GCSClient, upload: Upload, path: string, retry: RetryOptions) {
    this.#client = client
    this.#upload = upload
    this.#path = path
    this.#retry = { ...retry, signal: upload.signal }
  }

  /** Sends a part wholly. Resolves with the object after the last. */
  async send(part: Uint8Array, isLast: boolean): Promise<BlobInfo | undefined> {
    this.#md5.update(part)
    const end = this.#before + part.length
    const ending = isLast ? { total: end, md5: this.#md5.copy().digest('base64') } : undefined
    const progress = { persisted: this.#before, isDoubtful: false }
    const state = await retryTransient(() => this.#advance(part, end, ending, progress), this.#retry)
    if (state.kind === 'lost') throw this.#failure('unavailable', 'the service lost the upload')
    this.#before = end
    return state.kind === 'stored' ? this.#infoOf(state.answer, ending) : undefined
  }

  /** Goes on where the service is, until the part is in. Called again after a failure. */
  async #advance(
    part: Uint8Array,
    end: number,
    ending: Ending | undefined,
    progress: { persisted: number; isDoubtful: boolean },
  ): Promise<State> {
    const { isDoubtful } = progress
    let asks = isDoubtful
    progress.isDoubtful = true
    for (;;) {
      const rest = asks ? EMPTY : part.subarray(progress.persisted - this.#before)
      const state = await this.#put(rest, progress.persisted, ending, isDoubtful)
      if (state.kind !== 'open') return state
      // Bytes of earlier parts are not here any more.
      if (state.persisted < this.#before || state.persisted > end) return { kind: 'lost' }
      if (state.persisted === end && ending === undefined) return state
      if (!asks && state.persisted <= progress.persisted) {
        throw this.#failure('unavailable', 'the service takes no bytes')
      }
      progress.persisted = state.persisted
      asks = false
    }
  }

  async #put(
    bytes: Uint8Array,
    offset: number,
    ending: Ending | undefined,
    isDoubtful: boolean,
  ): Promise<State> {
    const { context, signal } = this.#upload
    const total = ending?.total ?? '*'
    const range = bytes.length === 0 ? '*' : `${offset}-${offset + bytes.length - 1}`
    try {
      const answer = await this.#client.call({
        method: 'PUT',
        path: this.#path,
        headers: {
          'content-range': `bytes ${range}/${total}`,
          ...(ending === undefined ? {} : { 'x-goog-hash': `md5=${ending.md5}` }),
        },
        body: bytes,
        accepts: [GOES_ON, ...LOST],
        context,
        signal,
      })
      if (LOST.includes(answer.status)) return { kind: 'lost' }
      if (answer.status !== GOES_ON) return { kind: 'stored', answer }
      const last = /^bytes=0-(\d+)$/.exec(answer.header('range') ?? '')?.[1]
      return { kind: 'open', persisted: last === undefined ? 0 : Number(last) + 1 }
    } catch (error) {
      // It may be our own object that is in the way: the caller must look.
      if (isDoubtful && isStorageError(error, 'precondition-failed')) return { kind: 'lost' }
      throw error
    }
  }

  #infoOf(answer: GCSAnswer, ending: Ending | undefined): BlobInfo {
    const { context } = this.#upload
    const resource = parseAnswer(answer, context)
    const { md5Hash } = resource as { readonly md5Hash?: unknown }
    if (ending !== undefined && md5Hash !== undefined && md5Hash !== ending.md5) {
      // Others may rely on the object by now, so it is not for us to delete.
      throw this.#failure('unknown', 'the stored object has other bytes than were sent', 'Put it again.')
    }
    return infoOf(resource, context)
  }

  #failure(code: StorageErrorCode, problem: string, hint?: string): StorageError {
    const { context } = this.#upload
    return failure(context, code, `${describe(context)}: ${problem}`, hint)
  }
}

const EMPTY = new Uint8Array(0)
