import { type BlobInfo, isStorageError, putDecisively, withinTime } from '@sqlstream/storage'
import { dateOf, uploadMs } from './connection.ts'
import type { CopySourceFields } from './copy-object.ts'
import { DRIVER, failure, s3CodeOf } from './errors.ts'
import { customerKeyFields, etagOf, newObjectFields } from './object-info.ts'
import { asRefusal, conditionFields, findPut, type Put } from './put-object.ts'

const MAX_PARTS = 10_000
/** Bytes of parts on their way at once, at least one part. */
const MAX_IN_FLIGHT = 64 * 2 ** 20
/** More time for the last request, which lets the service put so many parts together. */
const MS_PER_PART = 100

interface Part {
  readonly PartNumber: number
  readonly ETag: string
  readonly ChecksumCRC32?: string
}

/**
 * Uploads parts as they come, several at once, and makes them an object in one step at the end. On any failure nothing is left.
 * @param onSent gets each part that is not needed any more
 */
export async function putParts(
  put: Put,
  parts: AsyncIterator<Uint8Array>,
  onSent: (part: Uint8Array) => void,
): Promise<BlobInfo> {
  const upload = await MultipartUpload.create(put)
  try {
    await upload.send(parts, onSent)
    return await upload.complete()
  } catch (error) {
    await upload.abort()
    throw error
  }
}

/** Copies an object as the only part of an upload: the last request is the one that keeps a condition. */
export async function copyAsPart(put: Put, source: CopySourceFields, size: number): Promise<BlobInfo> {
  const upload = await MultipartUpload.create(put)
  try {
    await upload.copyPart(source, size)
    return await upload.complete()
  } catch (error) {
    await upload.abort()
    throw error
  }
}

class MultipartUpload {
  readonly #put: Put
  readonly #uploadId: string
  readonly #putId: string
  readonly #parts: Part[] = []
  #size = 0

  private constructor(put: Put, uploadId: string, putId: string) {
    this.#put = put
    this.#uploadId = uploadId
    this.#putId = putId
  }

  static async create(put: Put): Promise<MultipartUpload> {
    const { connection, context, key, options } = put
    const { bucket, provider, encryption } = connection.settings
    const putId = crypto.randomUUID()
    const { UploadId } = await connection.retried({ context, signal: options.signal }, (client, sdk, http) =>
      client.send(
        new sdk.CreateMultipartUploadCommand({
          Bucket: bucket,
          Key: key,
          ...newObjectFields(connection.settings, { timestamp: options.timestamp, putId }),
          ...customerKeyFields(encryption),
          ...(provider.sendsChecksums ? { ChecksumAlgorithm: 'CRC32' as const } : {}),
        }),
        http,
      ),
    )
    if (UploadId === undefined) throw failure(context, 'unsupported', `the service began no upload of ${key}`)
    return new MultipartUpload(put, UploadId, putId)
  }

  async send(parts: AsyncIterator<Uint8Array>, onSent: (part: Uint8Array) => void): Promise<void> {
    const { connection, context, key } = this.#put
    const { partConcurrency } = connection.settings
    const running = new Set<Promise<void>>()
    let inFlight = 0
    const failures: unknown[] = []
    try {
      for (let n = 1; ; n++) {
        const step = await parts.next()
        if (failures.length > 0) throw failures[0]
        if (step.done === true) break
        if (n > MAX_PARTS) {
          const hint = 'Set part-size to more than it is.'
          throw failure(context, 'unsupported', `${key} has more than ${MAX_PARTS} parts`, hint)
        }
        const part = step.value
        inFlight += part.length
        const sending: Promise<void> = this.#sendPart(n, part).then(
          () => {
            inFlight -= part.length
            running.delete(sending)
            onSent(part)
          },
          (error: unknown) => {
            failures.push(error)
            running.delete(sending)
          },
        )
        running.add(sending)
        // The next part is read while these are on their way.
        const isFull = (): boolean =>
          running.size >= partConcurrency || inFlight + part.length > MAX_IN_FLIGHT
        while (failures.length === 0 && running.size > 0 && isFull()) await Promise.race(running)
      }
    } finally {
      await Promise.all(running)
    }
    if (failures.length > 0) throw failures[0]
  }

  async #sendPart(n: number, bytes: Uint8Array): Promise<void> {
    const { connection, context, key, options } = this.#put
    const { bucket, encryption } = connection.settings
    const request = { context, signal: options.signal, extraMs: uploadMs(bytes.length) }
    const Body = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
    const answer = await connection.retried(request, (client, sdk, http) => {
      const where = { Bucket: bucket, Key: key, UploadId: this.#uploadId, PartNumber: n }
      return client.send(
        new sdk.UploadPartCommand({ ...where, Body, ...customerKeyFields(encryption) }),
        http,
      )
    })
    const checksum = answer.ChecksumCRC32
    this.#parts.push({
      PartNumber: n,
      ETag: answer.ETag ?? '',
      ...(checksum === undefined ? {} : { ChecksumCRC32: checksum }),
    })
    this.#size += bytes.length
  }

  async copyPart(source: CopySourceFields, size: number): Promise<void> {
    const { connection, context, key, options } = this.#put
    const { bucket, encryption } = connection.settings
    const request = { context, signal: options.signal, extraMs: uploadMs(size) }
    const { CopyPartResult: part } = await connection.retried(request, (client, sdk, http) => {
      const where = { Bucket: bucket, Key: key, UploadId: this.#uploadId, PartNumber: 1 }
      return client.send(
        new sdk.UploadPartCopyCommand({ ...where, ...source, ...customerKeyFields(encryption) }),
        http,
      )
    })
    const checksum = part?.ChecksumCRC32
    this.#parts.push({
      PartNumber: 1,
      ETag: part?.ETag ?? '',
      ...(checksum === undefined ? {} : { ChecksumCRC32: checksum }),
    })
    this.#size = size
  }

  async complete(): Promise<BlobInfo> {
    const { connection, context, key, options } = this.#put
    const { bucket, retry } = connection.settings
    const parts = this.#parts.sort((a, b) => a.PartNumber - b.PartNumber)
    const request = { context, signal: options.signal, extraMs: parts.length * MS_PER_PART }
    let gone: unknown
    const send = async (): Promise<BlobInfo> => {
      try {
        return await connection.once(request, async (client, sdk, http) => {
          const where = {
            Bucket: bucket,
            Key: key,
            UploadId: this.#uploadId,
            MultipartUpload: { Parts: parts },
          }
          const conditions = conditionFields(options.precondition)
          const answer = await client.send(
            new sdk.CompleteMultipartUploadCommand({ ...where, ...conditions }),
            http,
          )
          return { key, size: this.#size, etag: etagOf(answer.ETag), modified: dateOf(answer) }
        })
      } catch (error) {
        gone = s3CodeOf(error) === 'NoSuchUpload' ? error : undefined
        // An upload that was completed is no upload any more: to be looked at like a refusal.
        throw gone === undefined
          ? asRefusal(error, this.#put)
          : failure(context, 'precondition-failed', 'gone')
      }
    }
    const find = (): Promise<BlobInfo | undefined> => findPut(this.#put, this.#putId)
    try {
      const info = await putDecisively({ send, find }, { ...retry, signal: options.signal })
      if (info.etag !== '') return info
      // Ceph says it is done, and not with which ETag.
      const found = await find()
      if (found !== undefined) return found
      throw failure(context, 'unavailable', `${key} was put, and replaced at once`)
    } catch (error) {
      throw gone !== undefined && isStorageError(error, 'precondition-failed') ? gone : error
    }
  }

  /** Ends soon, and never fails: parts that stay cost money, but the reason of the failure is what the caller needs. */
  async abort(): Promise<void> {
    const { connection, context, key, options } = this.#put
    const { bucket, timeoutMs } = connection.settings
    const limit = { limitMs: timeoutMs, fields: { driver: DRIVER, ...context } }
    const aborting = withinTime(limit, (signal) =>
      connection.retried({ context, signal }, (client, sdk, http) => {
        const where = { Bucket: bucket, Key: key, UploadId: this.#uploadId }
        return client.send(new sdk.AbortMultipartUploadCommand(where), http)
      }),
    )
    connection.inBackground(aborting)
    if (options.signal?.aborted !== true) await aborting.catch(() => {})
  }
}
