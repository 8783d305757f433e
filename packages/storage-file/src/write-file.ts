import type { BigIntStats } from 'node:fs'
import { type AbortOptions, type BlobBody, readBody } from '@sqlstream/storage'
import {
  datasyncDescriptor,
  openDescriptor,
  setModified,
  syncDescriptor,
  writeDescriptor,
} from './descriptor.ts'
import type { FileCalls } from './file-calls.ts'

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
  calls: FileCalls,
  path: string,
  body: BlobBody,
  options: AbortOptions & { readonly timestamp?: Date | undefined },
): Promise<BigIntStats> {
  const fd = await openDescriptor(path, 'wx')
  const writer = new FileWriter(fd)
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
    await setModified(fd, modificationSeconds(options.timestamp))
    await syncDescriptor(fd)
    return await calls.fstat(fd)
  } finally {
    // After a failure too, nothing may use a descriptor that is closed.
    await Promise.allSettled([writing, writer.synced()])
    await calls.close(fd)
  }
}

/** Writes chunks while the disk makes durable what came before them. */
class FileWriter {
  readonly #fd: number
  #syncing: Promise<void> | undefined
  #unsynced = 0

  constructor(fd: number) {
    this.#fd = fd
  }

  async write(chunk: Uint8Array): Promise<void> {
    for (let written = 0; written < chunk.length; ) {
      written += await writeDescriptor(this.#fd, written === 0 ? chunk : chunk.subarray(written))
    }
    this.#unsynced += chunk.length
    if (this.#unsynced < SYNC_EVERY) return
    this.#unsynced = 0
    // What the disk cannot take yet must not pile up in memory; and an error that it told once it may not tell again.
    await this.#syncing
    this.#syncing = datasyncDescriptor(this.#fd)
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

/**
 * The time of a file that is written now, with the content of this time: seconds since 1970.
 *
 * Without a timestamp the system's clock would do, but on many kernels it stands still for milliseconds,
 * and two versions in one tick would share their time (see `fileETag`). So the part below a millisecond
 * comes from the fine clock.
 */
export function modificationSeconds(timestamp: Date | undefined): number {
  if (timestamp === undefined) {
    return (Date.now() + Number(process.hrtime.bigint() % 1_000_000n) / 1e6) / 1000
  }
  // Half a microsecond more: the number of seconds is a double, and cutting it must not lose a millisecond.
  return (timestamp.getTime() + 0.0005) / 1000
}
