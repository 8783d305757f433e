import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type BlobContent, createBody, type GetOptions, resolveRange } from '@sqlstream/storage'
import { type CallContext, failure, isMissing, systemCode, translateError } from './system-errors.ts'
import { fileInfo } from './version.ts'

const CHUNK_SIZE = 256 * 1024
/** Most bytes of one read: beyond it nothing is gained, and an abort waits for a read that runs. */
const READ_SIZE = 1024 * 1024

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
    /** Reads at the position into `target`; 0 at the end of the range. */
    async function readInto(target: Uint8Array): Promise<number> {
      signal?.throwIfAborted()
      if (position === interval!.end) return 0
      const length = Math.min(target.length, READ_SIZE, interval!.end - position)
      const bytesRead = await readAt(target, length, position)
      if (bytesRead === 0) throw failure(context, 'unavailable', `${key} was cut to ${position} bytes`)
      signal?.throwIfAborted()
      position += bytesRead
      return bytesRead
    }
    const body = createBody({
      async next() {
        // Not from Node's pool and not zeroed first; the reader may keep it.
        const { buffer } = Buffer.allocUnsafeSlow(Math.min(CHUNK_SIZE, interval.end - position))
        const size = await readInto(new Uint8Array(buffer))
        return size === 0 ? undefined : new Uint8Array(buffer, 0, size)
      },
      readInto,
      close: () => handle.close(),
    })
    return { info, body }
  } catch (error) {
    await handle.close()
    throw error
  }

  async function readAt(target: Uint8Array, length: number, offset: number): Promise<number> {
    try {
      return (await handle.read(target, 0, length, offset)).bytesRead
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
