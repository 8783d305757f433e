import type { BigIntStats } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { type AbortOptions, type BlobBody, readBody } from '@sqlstream/storage'

/** An error of the caller's body, wrapped so that it is not taken for one of the file we write. */
export class BodyFailure {
  readonly error: unknown
  constructor(error: unknown) {
    this.error = error
  }
}

/** Bytes after which the disk begins to make durable what there is. At the end little is left to wait for. */
const SYNC_EVERY = 4 * 1024 * 1024

/**
 * Writes a new file and makes its bytes durable; its name is not durable yet.
 * @throws BodyFailure when the body failed or was aborted
 */
export async function writeFile(
  path: string,
  body: BlobBody,
  options: AbortOptions & { readonly timestamp?: Date | undefined },
): Promise<BigIntStats> {
  const handle = await open(path, 'wx')
  const writer = new FileWriter(handle)
  let writing = Promise.resolve()
  try {
    const chunksStay = !(body instanceof Uint8Array) && body.chunksStay === true
    for await (const chunk of guard(readBody(body, options))) {
      // One chunk may be on its way while the body makes the next.
      await writing
      writing = writer.write(chunk)
      writing.catch(() => {})
      if (!chunksStay) await writing
    }
    await writing
    await writer.synced()
    await setModified(handle, options.timestamp)
    await handle.sync()
    return await handle.stat({ bigint: true })
  } finally {
    // After a failure too, nothing may use a descriptor that is closed.
    await Promise.allSettled([writing, writer.synced()])
    await handle.close()
  }
}

/** Writes chunks while the disk makes durable what came before them. */
class FileWriter {
  readonly #handle: FileHandle
  #syncing: Promise<void> | undefined
  #unsynced = 0

  constructor(handle: FileHandle) {
    this.#handle = handle
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let written = 0; written < chunk.length; ) {
      written += (await this.#handle.write(chunk, written)).bytesWritten
    }
    this.#unsynced += chunk.length
    if (this.#unsynced < SYNC_EVERY) return
    this.#unsynced = 0
    // What the disk cannot take yet must not pile up in memory; and an error that it told once it may not tell again.
    await this.#syncing
    this.#syncing = this.#handle.datasync()
    this.#syncing.catch(() => {})
  }

  /** Rejects when what was written cannot be made durable. */
  async synced(): Promise<void> {
    await this.#syncing
  }
}

async function* guard(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* chunks
  } catch (error) {
    throw new BodyFailure(error)
  }
}

/** The time of a file that was written now, with the content of this time. */
export async function setModified(handle: FileHandle, timestamp: Date | undefined): Promise<void> {
  const seconds = modificationSeconds(timestamp)
  await handle.utimes(seconds, seconds)
}

/**
 * Without a timestamp the system's clock would do, but on many kernels it stands still for milliseconds,
 * and two versions in one tick would share their time (see `fileETag`). So the part below a millisecond
 * comes from the fine clock.
 */
function modificationSeconds(timestamp: Date | undefined): number {
  if (timestamp === undefined) {
    return (Date.now() + Number(process.hrtime.bigint() % 1_000_000n) / 1e6) / 1000
  }
  // Half a microsecond more: the number of seconds is a double, and cutting it must not lose a millisecond.
  return (timestamp.getTime() + 0.0005) / 1000
}
