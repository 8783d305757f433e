import { type BigIntStats, closeSync, constants, fstatSync, openSync, readSync } from 'node:fs'
import {
  type BlobContent,
  type BlobInfo,
  type BlobStream,
  type ByteInterval,
  createBody,
  type GetOptions,
  resolveRange,
} from '@sqlstream/storage'
import { closeDescriptor, openDescriptor, readDescriptor, statDescriptor } from './descriptor.ts'
import { inThisThread } from './local-disk.ts'
import { type CallContext, failure, isMissing, systemCode, translateError } from './system-errors.ts'
import { fileInfo } from './version.ts'
import { WholeBody } from './whole-body.ts'

/** Bytes of a chunk. What is no larger is read at once where that can be done in this thread. */
const CHUNK_SIZE = 256 * 1024
const FLAGS = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0)
/** Most bytes of one read: beyond it nothing is gained, and an abort waits for a read that runs. */
const READ_SIZE = 1024 * 1024

/**
 * Opens a file as the content of an object: all bytes are of the version that was opened.
 *
 * @param isLocal see `isOnLocalDisk`
 */
export async function readFile(
  path: string,
  key: string,
  options: GetOptions,
  isLocal: boolean,
): Promise<BlobContent> {
  const context: CallContext = { operation: 'get', key }
  if (isLocal) {
    const content = await inThisThread(() => readSmall(path, options, context))
    if (content) return content
  }
  const { signal } = options
  const fd = await openFile(path, context)
  try {
    const { info, start, end } = select(await statDescriptor(fd), options, context)
    signal?.throwIfAborted()
    return { info, body: bodyOfFile(fd, start, end, context, signal) }
  } catch (error) {
    await closeDescriptor(fd)
    throw error
  }
}

/** Reads all that is asked for, in this thread, if it is little. */
function readSmall(path: string, options: GetOptions, context: CallContext): BlobContent | undefined {
  let fd: number
  try {
    fd = openSync(path, FLAGS)
  } catch (error) {
    throw openFailure(error, context)
  }
  try {
    const { info, start, end } = select(fstatSync(fd, { bigint: true }), options, context)
    if (end - start > CHUNK_SIZE) return undefined
    const bytes = (options.room ?? room)(end - start)
    for (let at = start; at < end; ) {
      const size = readSync(fd, bytes, at - start, end - at, at)
      if (size === 0) throw cutFailure(context, at)
      at += size
    }
    return { info, body: new WholeBody(bytes, options.signal) }
  } finally {
    closeSync(fd)
  }
}

/** What is asked for of a file. */
function select(
  stats: BigIntStats,
  { range }: GetOptions,
  context: CallContext,
): ByteInterval & { readonly info: BlobInfo } {
  const key = context.key!
  if (!stats.isFile()) throw failure(context, 'not-found', `there is no object ${key}`)
  const info = fileInfo(key, stats)
  const interval = resolveRange(range, info.size)
  if (interval !== undefined) return { info, ...interval }
  throw failure(context, 'range-not-satisfiable', `no byte of ${key} (${info.size}) is in the range`)
}

function bodyOfFile(
  fd: number,
  start: number,
  end: number,
  context: CallContext,
  signal: AbortSignal | undefined,
): BlobStream {
  let position = start
  /** Reads at the position into `target`; 0 at the end of the range. */
  async function readInto(target: Uint8Array): Promise<number> {
    signal?.throwIfAborted()
    if (position === end) return 0
    const length = Math.min(target.length, READ_SIZE, end - position)
    const size = await readSome(fd, target.subarray(0, length), position, context)
    signal?.throwIfAborted()
    position += size
    return size
  }
  return createBody({
    async next() {
      const chunk = room(Math.min(CHUNK_SIZE, end - position))
      const size = await readInto(chunk)
      return size === 0 ? undefined : chunk.subarray(0, size)
    },
    readInto,
    close: () => closeDescriptor(fd),
  })
}

/** Reads into `target`, which has room, at least 1 byte at `position`, where the file must have one. */
async function readSome(
  fd: number,
  target: Uint8Array,
  position: number,
  context: CallContext,
): Promise<number> {
  let size: number
  try {
    size = await readDescriptor(fd, target, position)
  } catch (error) {
    throw translateError(error, context)
  }
  if (size === 0) throw cutFailure(context, position)
  return size
}

/** Not from Node's pool and not zeroed first; the reader may keep it. */
function room(size: number): Uint8Array {
  return new Uint8Array(Buffer.allocUnsafeSlow(size).buffer)
}

async function openFile(path: string, context: CallContext): Promise<number> {
  try {
    return await openDescriptor(path, FLAGS)
  } catch (error) {
    throw openFailure(error, context)
  }
}

function openFailure(error: unknown, context: CallContext): unknown {
  // ELOOP is a symbolic link, ENXIO a pipe or socket: no objects.
  const code = systemCode(error)
  if (!isMissing(error) && code !== 'ELOOP' && code !== 'ENXIO' && code !== 'EISDIR') return error
  return failure(context, 'not-found', `there is no object ${context.key}`)
}

function cutFailure(context: CallContext, at: number): Error {
  return failure(context, 'unavailable', `${context.key} was cut to ${at} bytes`)
}
