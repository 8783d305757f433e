import { createHash } from 'node:crypto'
import { S3Failure } from './s3-failure.ts'

/** A stored object. */
export interface S3Object {
  readonly bytes: Buffer
  /** With its quotes. */
  readonly etag: string
  /** Whole seconds, as S3 has them. */
  readonly modified: Date
  /** Headers that come back: user metadata, content type, storage class, encryption. */
  readonly headers: Readonly<Record<string, string>>
}

interface S3Part {
  readonly bytes: Buffer
  readonly etag: string
  readonly checksums: ReadonlyMap<string, string>
}

/** A multipart upload that was neither completed nor aborted. */
export interface S3Upload {
  readonly key: string
  readonly headers: Readonly<Record<string, string>>
  /** Header name of the checksum that its parts must have, if any. */
  readonly checksum: string | undefined
  readonly parts: Map<number, S3Part>
}

/** What must hold when an object is written. */
export interface S3Conditions {
  readonly ifMatch: string | undefined
  readonly ifNoneMatch: string | undefined
}

/** A part as the request to complete an upload names it. */
export interface S3PartName {
  readonly number: number
  readonly etag: string
  readonly checksum: string | undefined
}

/** Objects and uploads, with the rules of S3. Each method is one step. */
export class S3Bucket {
  readonly objects: Map<string, S3Object> = new Map()
  readonly uploads: Map<string, S3Upload> = new Map()
  #sorted: string[] | undefined
  #lastChange: { key: string; before: S3Object | undefined } | undefined
  #nextUpload = 1

  put(key: string, object: S3Object, conditions?: S3Conditions): void {
    if (conditions !== undefined) this.check(key, conditions)
    this.#change(key, object)
  }

  delete(key: string, conditions?: S3Conditions): void {
    if (conditions?.ifMatch !== undefined && this.objects.has(key)) this.check(key, conditions)
    if (this.objects.has(key)) this.#change(key, undefined)
  }

  /** @throws S3Failure 412, or 404 for If-Match without an object */
  check(key: string, { ifMatch, ifNoneMatch }: S3Conditions): void {
    const object = this.objects.get(key)
    if (ifNoneMatch !== undefined && ifNoneMatch !== '*')
      throw new S3Failure(501, 'NotImplemented', 'If-None-Match of a write takes * only')
    if (ifNoneMatch === '*' && object !== undefined) throw new S3Failure(412, 'PreconditionFailed')
    if (ifMatch === undefined) return
    if (object === undefined) throw new S3Failure(404, 'NoSuchKey')
    if (unquoted(ifMatch) !== unquoted(object.etag)) throw new S3Failure(412, 'PreconditionFailed')
  }

  /** Keys in byte order. @param stale as they were before the last change */
  keys(stale = false): readonly string[] {
    this.#sorted ??= [...this.objects.keys()].sort(byteOrder)
    if (!stale || this.#lastChange === undefined) return this.#sorted
    const { key, before } = this.#lastChange
    const others = this.#sorted.filter((each) => each !== key)
    return before === undefined ? others : [...others, key].sort(byteOrder)
  }

  createUpload(upload: Omit<S3Upload, 'parts'>): string {
    const id = `upload-${this.#nextUpload++}`
    this.uploads.set(id, { ...upload, parts: new Map() })
    return id
  }

  upload(id: string, key: string): S3Upload {
    const upload = this.uploads.get(id)
    if (upload === undefined || upload.key !== key)
      throw new S3Failure(404, 'NoSuchUpload', 'The specified upload does not exist.')
    return upload
  }

  /** Joins the parts. @throws S3Failure as AWS does; the upload stays then */
  complete(
    id: string,
    key: string,
    names: readonly S3PartName[],
    options: {
      readonly conditions: S3Conditions | undefined
      readonly minPartBytes: number
      readonly modified: Date
    },
  ): S3Object {
    const upload = this.upload(id, key)
    if (names.length === 0) throw new S3Failure(400, 'MalformedXML')
    const parts = names.map(({ number, etag, checksum }, i) => {
      const part = upload.parts.get(number)
      if (part === undefined || unquoted(part.etag) !== unquoted(etag))
        throw new S3Failure(400, 'InvalidPart')
      if (i > 0 && names[i - 1]!.number >= number) throw new S3Failure(400, 'InvalidPartOrder')
      if (i < names.length - 1 && part.bytes.length < options.minPartBytes)
        throw new S3Failure(400, 'EntityTooSmall')
      if (upload.checksum !== undefined && part.checksums.get(upload.checksum) !== checksum) {
        throw new S3Failure(400, 'InvalidRequest', `part ${number} was uploaded with ${upload.checksum}`)
      }
      return part
    })
    if (options.conditions !== undefined) this.check(key, options.conditions)
    const digests = parts.map(({ etag }) => Buffer.from(unquoted(etag), 'hex'))
    const object: S3Object = {
      bytes: Buffer.concat(parts.map(({ bytes }) => bytes)),
      etag: `"${createHash('md5').update(Buffer.concat(digests)).digest('hex')}-${parts.length}"`,
      modified: options.modified,
      headers: upload.headers,
    }
    this.uploads.delete(id)
    this.#change(key, object)
    return object
  }

  #change(key: string, object: S3Object | undefined): void {
    const before = this.objects.get(key)
    this.#lastChange = { key, before }
    if (object === undefined) this.objects.delete(key)
    else this.objects.set(key, object)
    if ((before === undefined) !== (object === undefined)) this.#sorted = undefined
  }
}

/** The ETag of an object that was put whole. */
export function etagOf(bytes: Uint8Array): string {
  return `"${createHash('md5').update(bytes).digest('hex')}"`
}

/** AWS compares ETags with and without their quotes. */
export function unquoted(etag: string): string {
  return etag.replaceAll('"', '')
}

function byteOrder(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b))
}
