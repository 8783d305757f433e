import type { JetStreamClient, JetStreamManager, MsgRequest, StoredMsg } from '@nats-io/jetstream'
import { retryTransient, withinTime } from '@sqlstream/storage'
import { API, apiNumber, type CallContext, DRIVER, translateError } from './nats-errors.ts'

/** What a request belongs to. */
export interface RequestContext extends CallContext {
  readonly signal?: AbortSignal | undefined
}

/** A bucket and the way there. */
export interface BucketOptions {
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly bucket: string
  /** Milliseconds for each request. */
  readonly timeoutMs: number
  /** Bytes of a chunk. */
  readonly chunkSize: number
}

/** The stream below an object store: its names, and requests with a limit of time. */
export class Bucket {
  readonly js: JetStreamClient
  readonly jsm: JetStreamManager
  readonly stream: string
  readonly name: string
  readonly timeoutMs: number
  readonly chunkSize: number
  #isDirect: boolean | undefined

  constructor({ js, jsm, bucket, timeoutMs, chunkSize }: BucketOptions) {
    this.js = js
    this.jsm = jsm
    this.name = bucket
    this.stream = `OBJ_${bucket}`
    this.timeoutMs = timeoutMs
    this.chunkSize = chunkSize
  }

  /** Where the newest version of an object is told. Names are base64, with padding and in the alphabet of URLs. */
  metaSubject(key: string): string {
    return `$O.${this.name}.M.${btoa(key).replaceAll('+', '-').replaceAll('/', '_')}`
  }

  get allMetaSubjects(): string {
    return `$O.${this.name}.M.>`
  }

  /** Where the bytes of a version are. */
  chunkSubject(nuid: string): string {
    return `$O.${this.name}.C.${nuid}`
  }

  /** One request. */
  once<T>({ operation, key, signal }: RequestContext, call: () => Promise<T>): Promise<T> {
    const limit = { limitMs: this.timeoutMs, signal, fields: { driver: DRIVER, operation, key } }
    return withinTime(limit, async () => {
      try {
        return await call()
      } catch (error) {
        throw translateError(error, { operation, key })
      }
    })
  }

  /** A request that may be sent again. */
  repeated<T>(context: RequestContext, call: () => Promise<T>): Promise<T> {
    return retryTransient(() => this.once(context, call), { signal: context.signal })
  }

  /**
   * The first message of a subject from a sequence on, undefined when there is none. Raw from any server of the stream, which is
   * three times as quick; one that lacks it may be behind, so then from the leader.
   */
  async nextMessage(context: RequestContext, seq: number, subject: string): Promise<StoredMsg | undefined> {
    const query = { seq, next_by_subj: subject }
    this.#isDirect ??= await this.#allowsDirect(context)
    if (this.#isDirect) {
      try {
        const message = await this.once(context, () => this.jsm.direct.getMessage(this.stream, query))
        if (message !== null) return message
      } catch {
        context.signal?.throwIfAborted()
        // Quicker is no reason to fail, nor to wait for the same failure with each chunk.
        this.#isDirect = false
      }
    }
    return this.message(context, query)
  }

  /** Streams that an old client made do not. */
  async #allowsDirect(context: RequestContext): Promise<boolean> {
    const { config } = await this.repeated(context, () => this.jsm.streams.info(this.stream))
    return config.allow_direct === true
  }

  /** A message, undefined when there is none. */
  message(
    context: RequestContext,
    query: MsgRequest | { readonly seq: number; readonly next_by_subj: string },
  ): Promise<StoredMsg | undefined> {
    return this.repeated(context, async () => {
      try {
        return (await this.jsm.streams.getMessage(this.stream, query as MsgRequest)) ?? undefined
      } catch (error) {
        if (apiNumber(error) === API.messageNotFound) return undefined
        throw error
      }
    })
  }
}
