import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type BlobContent, createBody, type GetOptions, resolveRange } from '@sqlstream/storage'
import { type CallContext, failure, isMissing, systemCode, translateError } from './system-errors.ts'
import { fileInfo } from './version.ts'

const CHUNK_SIZE = 256 * 1024

/** Opens a file as the content of an object. The descriptor keeps the version that was opened. */
export async function readFile(path: string, key: string, options: GetOptions): Promise<BlobContent> {
  const { range, signal } = options
  const context: CallContext = { operation: 'get', key }
  const handle = await openFile(path, context)
  try {
    const stats = await handle.stat({ bigint: true })
    if (!stats.isFile()) throw failure(context, 'not-found', `there is no object ${key}`)
    const info = fileInfo(key, stats)
    const interval = resolveRange(range, info.size)
    if (interval === undefined) {
      throw failure(context, 'range-not-satisfiable', `no byte of ${key} (${info.size}) is in the range`)
    }
    signal?.throwIfAborted()
    let position = interval.start
    const body = createBody({
      async next() {
        signal?.throwIfAborted()
        if (position === interval.end) return undefined
        const chunk = await readChunk(handle, position, Math.min(CHUNK_SIZE, interval.end - position))
        if (chunk.length === 0) throw failure(context, 'unavailable', `${key} was cut to ${position} bytes`)
        signal?.throwIfAborted()
        position += chunk.length
        return chunk
      },
      close: () => handle.close(),
    })
    return { info, body }
  } catch (error) {
    await handle.close()
    throw error
  }

  async function readChunk(file: FileHandle, offset: number, length: number): Promise<Uint8Array> {
    try {
      // Not from Node's pool and not zeroed first; the reader may keep it.
      const { buffer } = Buffer.allocUnsafeSlow(length)
      const { bytesRead } = await file.read(new Uint8Array(buffer), 0, length, offset)
      return new Uint8Array(buffer, 0, bytesRead)
    } catch (error) {
      throw translateError(error, context)
    }
  }
}

async function openFile(path: string, context: CallContext): Promise<FileHandle> {
  try {
    return await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0))
  } catch (error) {
    // ELOOP is a symbolic link, ENXIO a pipe or socket: no objects.
    const code = systemCode(error)
    if (!isMissing(error) && code !== 'ELOOP' && code !== 'ENXIO' && code !== 'EISDIR') throw error
    throw failure(context, 'not-found', `there is no object ${context.key}`)
  }
}
