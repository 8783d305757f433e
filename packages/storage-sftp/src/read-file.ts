import {
  abortable,
  type BlobContent,
  createBody,
  type GetOptions,
  isStorageError,
  resolveRange,
} from '@sqlstream/storage'
import type { Connection } from './connection.ts'
import { type CallContext, failure, isMissing, translateError } from './sftp-errors.ts'
import { fileInfo } from './version.ts'

const CHUNK_SIZE = 128 * 1024
/** Chunks asked for ahead of the reader: one at a time would be bound by the distance to the server. */
const CHUNKS_AHEAD = 8

/** Opens a file as the content of an object. The server's handle keeps the version that was opened. */
export async function readFile(
  connection: Connection,
  path: string,
  key: string,
  options: GetOptions & { readonly marks: boolean },
): Promise<BlobContent> {
  const { range, signal } = options
  const context: CallContext = { operation: 'get', key }
  const handle = await openObject(connection, path, context)
  try {
    const info = fileInfo(key, await connection.fstat(handle), options.marks)
    const interval = resolveRange(range, info.size)
    if (interval === undefined) {
      throw failure(context, 'range-not-satisfiable', `no byte of ${key} (${info.size}) is in the range`)
    }
    signal?.throwIfAborted()
    const ahead: Promise<Uint8Array>[] = []
    let asked = interval.start
    const body = createBody({
      async next() {
        signal?.throwIfAborted()
        while (ahead.length < CHUNKS_AHEAD && asked < interval.end) {
          const length = Math.min(CHUNK_SIZE, interval.end - asked)
          const chunk = readChunk(asked, length)
          // It may fail when nobody waits for it any more.
          chunk.catch(() => {})
          ahead.push(chunk)
          asked += length
        }
        return abortable(ahead.shift() ?? Promise.resolve(undefined), signal)
      },
      async close() {
        // What is not answered here was said before: by the reads, or by the end of the connection.
        if (connection.isAlive) await connection.close(handle).catch(() => {})
      },
    })
    return { info, body }
  } catch (error) {
    if (connection.isAlive) await connection.close(handle)
    throw error
  }

  async function readChunk(position: number, length: number): Promise<Uint8Array> {
    // Memory of its own, because the reader may keep it.
    const chunk = Buffer.allocUnsafeSlow(length)
    try {
      const bytesRead = await connection.read(handle, chunk, position)
      if (bytesRead < length) {
        throw failure(context, 'unavailable', `${key} was cut to ${position + bytesRead} bytes`)
      }
    } catch (error) {
      throw isStorageError(error) ? error : translateError(error, context)
    }
    return new Uint8Array(chunk.buffer, 0, length)
  }
}

async function openObject(connection: Connection, path: string, context: CallContext): Promise<Buffer> {
  // Together: opening follows symbolic links, which are no objects, and opens folders.
  const [attributes, handle] = await Promise.allSettled([connection.lstat(path), connection.open(path)])
  if (attributes.status === 'fulfilled' && attributes.value.kind === 'file') {
    if (handle.status === 'fulfilled') return handle.value
    // Also when it was deleted between the two.
    throw isMissing(handle.reason) ? missing(context) : handle.reason
  }
  if (handle.status === 'fulfilled' && connection.isAlive) await connection.close(handle.value)
  if (attributes.status === 'rejected' && !isMissing(attributes.reason)) throw attributes.reason
  throw missing(context)
}

export function missing(context: CallContext): Error {
  return failure(context, 'not-found', `there is no object ${context.key}`)
}
