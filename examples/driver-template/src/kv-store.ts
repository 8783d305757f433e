import { ReadableStream } from 'node:stream/web'
import {
  type AbortOptions,
  type BlobBody,
  type BlobContent,
  type BlobInfo,
  type BlobStore,
  type Capabilities,
  checkKey,
  checkListKeys,
  checkRange,
  createBody,
  type ETag,
  type GetOptions,
  isKey,
  type ListOptions,
  type PutOptions,
  putDecisively,
  readBody,
  retryTransient,
  withinTime,
} from '@sqlstream/storage'
import { type Call, DRIVER, refused, unanswered } from './kv-errors.ts'

/** Where the service is. */
export interface KVStoreOptions {
  /** `http(s)://host[:port]` */
  readonly endpoint: string
  readonly token?: string | undefined
  /** Milliseconds for an answer, and for each piece of a body; an upload may take a minute more per 8 MiB. Default: 30,000. */
  readonly limitMs?: number | undefined
}

const MIB = 2 ** 20
/** Requests of one delete at once. */
const DELETES = 16

/** Objects in the service. Its conditions are judged when the whole body has arrived, so puts can be streamed. */
export class KVStore implements BlobStore {
  readonly driver: string = DRIVER
  // The truth about the service. Another one may have to say false here.
  readonly capabilities: Capabilities = { conditionalPut: true, consistentList: true }
  readonly #endpoint: string
  readonly #headers: Record<string, string>
  readonly #limitMs: number

  constructor({ endpoint, token, limitMs = 30_000 }: KVStoreOptions) {
    this.#endpoint = endpoint
    this.#headers = token === undefined ? {} : { authorization: `Bearer ${token}` }
    this.#limitMs = limitMs
  }

  async *list(options: ListOptions = {}): AsyncGenerator<BlobInfo, void> {
    const { prefix = '', startAfter = '', signal } = options
    checkListKeys(options, DRIVER)
    const call: Call = { operation: 'list' }
    for (let after = startAfter; ; ) {
      const query = new URLSearchParams({ prefix, after })
      // The page is read within the time limit of its request: its connection is free while others work on the entries.
      const page = await retryTransient(
        () =>
          this.#answer(
            call,
            signal,
            `/?${query}`,
            {},
            async (answer) => (await answer.json()) as ListedObject[],
          ),
        { signal },
      )
      if (page.length === 0) return
      for (const { key, size, etag, modified } of page) {
        signal?.throwIfAborted()
        after = key
        if (isKey(key)) yield { key, size, etag: etag as ETag, modified: new Date(modified) }
      }
    }
  }

  async head(key: string, { signal }: AbortOptions = {}): Promise<BlobInfo> {
    checkKey(key, { driver: DRIVER, operation: 'head' })
    const call: Call = { operation: 'head', key }
    return retryTransient(
      () =>
        this.#answer(call, signal, pathOf(key), { method: 'HEAD' }, async ({ headers }) =>
          infoOf(key, headers),
        ),
      { signal },
    )
  }

  async get(key: string, { range, signal }: GetOptions = {}): Promise<BlobContent> {
    checkKey(key, { driver: DRIVER, operation: 'get' })
    if (range !== undefined) checkRange(range)
    const call: Call = { operation: 'get', key }
    const headers: Record<string, string> = {}
    if (range?.suffix !== undefined) headers['range'] = `bytes=-${range.suffix}`
    else if (range !== undefined) {
      const last =
        range.length === undefined ? '' : Math.min(Number.MAX_SAFE_INTEGER, range.offset + range.length - 1)
      headers['range'] = `bytes=${range.offset}-${last}`
    }
    const take = async (answer: Response): Promise<BlobContent> => {
      const reader = answer.body!.getReader()
      const limit = { limitMs: this.#limitMs, signal, fields: { driver: DRIVER, ...call } }
      const body = createBody({
        next: async () => {
          try {
            return (await withinTime(limit, () => reader.read())).value
          } catch (error) {
            throw error instanceof TypeError ? unanswered(error, call) : error
          }
        },
        // Also when nothing was read: the connection is held as long as the body is.
        close: () => reader.cancel().catch(() => {}),
      })
      return { info: infoOf(key, answer.headers), body }
    }
    return retryTransient(() => this.#answer(call, signal, pathOf(key), { headers }, take), { signal })
  }

  async put(key: string, body: BlobBody, options: PutOptions = {}): Promise<BlobInfo> {
    const { precondition, signal } = options
    checkKey(key, { driver: DRIVER, operation: 'put' })
    const call: Call = { operation: 'put', key }
    const headers: Record<string, string> = {}
    if (precondition?.kind === 'absent') headers['if-none-match'] = '*'
    if (precondition?.kind === 'match') headers['if-match'] = precondition.etag
    const send = async (): Promise<BlobInfo> => {
      let failure: { readonly error: unknown } | undefined
      async function* chunks(): AsyncGenerator<Uint8Array, void> {
        try {
          // A copy: fetch reads ahead, and a body may use its buffer again.
          for await (const chunk of readBody(body, { signal })) yield chunk.slice()
        } catch (error) {
          failure = { error }
          throw error
        }
      }
      try {
        const stream = ReadableStream.from(chunks()) as BodyInit
        const upload = { method: 'PUT', headers, body: stream, duplex: 'half' } as const
        const limitMs = this.#limitMs + (60_000 * sizeOf(body)) / (8 * MIB)
        return await this.#answer(
          call,
          signal,
          pathOf(key),
          upload,
          async (answer) => infoOf(key, answer.headers),
          limitMs,
        )
      } catch (error) {
        // An upload that breaks off stores nothing, and its reason is the caller's own error.
        throw failure === undefined ? error : failure.error
      }
    }
    if (precondition === undefined) return retryTransient(send, { signal })
    return putDecisively({ body, send, read: () => this.get(key, { signal }) }, { signal })
  }

  async delete(keys: readonly string[], { signal }: AbortOptions = {}): Promise<void> {
    for (const key of keys) checkKey(key, { driver: DRIVER, operation: 'delete' })
    signal?.throwIfAborted()
    for (let at = 0; at < keys.length; at += DELETES) {
      await Promise.all(keys.slice(at, at + DELETES).map((key) => this.#deleteOne(key, signal)))
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}

  async #deleteOne(key: string, signal: AbortSignal | undefined): Promise<void> {
    const call: Call = { operation: 'delete', key }
    const nothing = async (): Promise<void> => {}
    await retryTransient(() => this.#answer(call, signal, pathOf(key), { method: 'DELETE' }, nothing), {
      signal,
    })
  }

  /** One request, within its time limit. `take` gets an answer of success; what it leaves unread is released. */
  async #answer<T>(
    call: Call,
    signal: AbortSignal | undefined,
    path: string,
    init: RequestInit,
    take: (answer: Response) => Promise<T>,
    limitMs = this.#limitMs,
  ): Promise<T> {
    return withinTime({ limitMs, signal, fields: { driver: DRIVER, ...call } }, async (limited) => {
      const headers = { ...this.#headers, ...(init.headers as Record<string, string>) }
      let answer: Response
      try {
        answer = await fetch(this.#endpoint + path, { ...init, headers, signal: limited })
      } catch (error) {
        limited.throwIfAborted()
        throw unanswered(error, call)
      }
      if (!answer.ok) {
        await answer.body?.cancel()
        throw refused(answer.status, call)
      }
      return take(answer)
    })
  }
}

/** An entry of a page, as the service writes it. */
interface ListedObject {
  readonly key: string
  readonly size: number
  readonly etag: string
  readonly modified: string
}

function pathOf(key: string): string {
  // Legal keys need no escapes in a path.
  return `/${key}`
}

function infoOf(key: string, headers: Headers): BlobInfo {
  const range = /\/(\d+)$/.exec(headers.get('content-range') ?? '')
  return {
    key,
    size: Number(range?.[1] ?? headers.get('x-size') ?? headers.get('content-length')),
    etag: (headers.get('etag') ?? '') as ETag,
    modified: new Date(headers.get('last-modified') ?? Number.NaN),
  }
}

/** Of an unknown size rather too much: it is for a time limit. */
function sizeOf(body: BlobBody): number {
  return body instanceof Uint8Array ? body.length : (body.size ?? 1024 * MIB)
}
