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
  try {
    for await (const chunk of guard(readBody(body, options))) await writeAll(handle, chunk)
    const seconds = modificationSeconds(options.timestamp)
    await handle.utimes(seconds, seconds)
    await handle.sync()
    return await handle.stat({ bigint: true })
  } finally {
    await handle.close()
  }
}

async function* guard(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  try {
    yield* chunks
  } catch (error) {
    throw new BodyFailure(error)
  }
}

async function writeAll(handle: FileHandle, chunk: Uint8Array): Promise<void> {
  for (let written = 0; written < chunk.length; ) {
    written += (await handle.write(chunk, written)).bytesWritten
  }
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
