import { type AbortOptions, type BlobBody, readBody } from '@sqlstream/storage'
import type { Connection } from './connection.ts'
import { ConnectionFailure, RequestFailure, STATUS } from './sftp-errors.ts'
import { type Attributes, newMark, wholeSeconds } from './version.ts'

/** Bytes of one write: every server takes that many. */
const WRITE_SIZE = 32 * 1024
/** Writes on their way at once; one at a time would be bound by the distance to the server. */
const WRITES_AT_ONCE = 32

/** An error of the caller's body, wrapped so that it is not taken for one of the file we write. */
export class BodyFailure {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

export interface WriteOptions extends AbortOptions {
  readonly timestamp?: Date | undefined
  /** Give the file a mark (see version.ts). */
  readonly marks: boolean
  /** Without marks: the version that is replaced. One of the same size must differ in its second. */
  readonly before?: Attributes | undefined
}

/**
 * Writes a new file and, where the server can, makes its bytes durable; its name is not durable yet.
 * @throws BodyFailure when the body failed or was aborted
 */
export async function writeFile(
  connection: Connection,
  path: string,
  body: BlobBody,
  options: WriteOptions,
): Promise<Attributes> {
  const handle = await connection.create(path)
  try {
    const size = await writeBody(connection, handle, body, options)
    const wanted =
      options.timestamp === undefined
        ? (await connection.fstat(handle)).mtime
        : wholeSeconds(options.timestamp)
    const isAlike = !options.marks && options.before?.size === size
    const mtime = isAlike ? Math.max(wanted, options.before.mtime + 1) : wanted
    // A server works off the requests on one file in their order, so these need no waiting in between.
    const [, , attributes] = await Promise.all([
      connection.setTimes(handle, options.marks ? newMark() : mtime, mtime),
      syncHandle(connection, handle),
      connection.fstat(handle),
    ])
    if (attributes.size !== size) {
      const message = `the server has ${attributes.size} of ${size} bytes`
      throw new ConnectionFailure(message, { code: 'unavailable' })
    }
    return attributes
  } finally {
    if (connection.isAlive) await connection.close(handle)
  }
}

/** Makes a file or folder durable, where the server can. */
export async function syncHandle(connection: Connection, handle: Buffer): Promise<void> {
  try {
    await connection.fsync(handle)
  } catch (error) {
    if (!(error instanceof RequestFailure)) throw error
    if (error.status !== STATUS.unsupported && error.status !== STATUS.permissionDenied) throw error
  }
}

async function writeBody(
  connection: Connection,
  handle: Buffer,
  body: BlobBody,
  options: AbortOptions,
): Promise<number> {
  const writes = new Set<Promise<void>>()
  let failed: { readonly error: unknown } | undefined
  let size = 0
  for await (const chunk of guard(readBody(body, options))) {
    for (let at = 0; at < chunk.length; at += WRITE_SIZE) {
      if (writes.size >= WRITES_AT_ONCE) await Promise.race(writes)
      if (failed !== undefined) throw failed.error
      const piece = chunk.subarray(at, at + WRITE_SIZE)
      // ssh2 copies the bytes before this returns, so the chunk may change afterwards.
      const write: Promise<void> = connection
        .write(handle, piece, size)
        .catch((error: unknown) => {
          failed ??= { error }
        })
        .finally(() => writes.delete(write))
      writes.add(write)
      size += piece.length
    }
  }
  await Promise.all(writes)
  if (failed !== undefined) throw failed.error
  return size
}

async function* guard(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* chunks
  } catch (error) {
    throw new BodyFailure(error)
  }
}
