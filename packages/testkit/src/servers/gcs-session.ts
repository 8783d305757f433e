import { type GCSBucket, type GCSMetadata, type GCSObject, GCSRefusal } from './gcs-bucket.ts'

/** Whole blocks of this many bytes are kept of a part that is not the last. */
const BLOCK = 256 * 1024

/** A resumable upload. The conditions of its start hold when the object appears, too. */
export class GCSSession {
  readonly bucket: GCSBucket
  readonly name: string
  readonly query: URLSearchParams
  readonly #metadata: GCSMetadata
  readonly #chunks: Buffer[] = []
  #size = 0
  #object: GCSObject | undefined

  constructor(bucket: GCSBucket, name: string, metadata: GCSMetadata, query: URLSearchParams) {
    this.bucket = bucket
    this.name = name
    this.query = query
    this.#metadata = metadata
  }

  /** Bytes that it holds. */
  get size(): number {
    return this.#size
  }

  /**
   * Takes a part.
   *
   * @returns the object when it is complete
   * @throws GCSRefusal
   */
  put(
    contentRange: string,
    body: Buffer,
    hashes: Pick<GCSMetadata, 'md5Hash' | 'crc32c'>,
    atMost: number = Infinity,
  ): GCSObject | undefined {
    // Who lost the answer asks again, and gets the same.
    if (this.#object !== undefined) return this.#object
    const range = /^bytes (?:\*|(\d+)-(\d+|\*))\/(\d+|\*)$/.exec(contentRange)
    if (range === null) throw new GCSRefusal(400, 'invalid', 'Failed to parse Content-Range header.')
    const [, first, last, total] = range
    if (first !== undefined) this.#take(Number(first), last!, body, total === '*' && last !== '*', atMost)
    const end = total !== '*' ? Number(total) : last === '*' ? this.#size : undefined
    if (end === undefined || this.#size < end) return undefined
    if (this.#size > end) throw new GCSRefusal(400, 'invalid', 'Invalid request: more bytes than the total.')
    const bytes = Buffer.concat(this.#chunks)
    this.#object = this.bucket.write(this.name, bytes, { ...this.#metadata, ...hashes }, this.query)
    return this.#object
  }

  #take(first: number, last: string, body: Buffer, inBlocks: boolean, atMost: number): void {
    if (last !== '*' && Number(last) - first + 1 !== body.length) {
      throw new GCSRefusal(
        400,
        'invalid',
        `Invalid request. There were ${body.length} byte(s) in the request body.`,
      )
    }
    // What is there already is not stored again; a hole is never made.
    if (first > this.#size) return
    let fresh = body.subarray(this.#size - first).subarray(0, atMost)
    if (inBlocks) fresh = fresh.subarray(0, Math.floor(fresh.length / BLOCK) * BLOCK)
    this.#chunks.push(Buffer.from(fresh))
    this.#size += fresh.length
  }
}
