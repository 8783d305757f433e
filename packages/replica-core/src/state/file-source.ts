import { closeSync, openSync, readSync } from 'node:fs'
import type { ByteStream } from '@sqlstream/ltx'

const CHUNK_SIZE = 64 * 1024

/**
 * A local file from its beginning, read synchronously and straight into the reader's memory: of local files that costs half
 * of what asynchronous reading does. The event loop has no turn meanwhile, so a long reading must make breaks.
 *
 * @throws what the system throws when the file cannot be opened; so does reading
 */
export function openFileSource(path: string): ByteStream & Disposable {
  let fd = openSync(path, 'r')
  const close = (): void => {
    if (fd >= 0) closeSync(fd)
    fd = -1
  }
  const read = (target: Uint8Array): number => (fd < 0 ? 0 : readSync(fd, target, 0, target.length, null))
  return {
    readInto: async (target) => read(target),
    [Symbol.asyncIterator]: () => ({
      async next() {
        const chunk = new Uint8Array(CHUNK_SIZE)
        const size = read(chunk)
        if (size === 0) return { done: true, value: undefined }
        return { done: false, value: chunk.subarray(0, size) }
      },
      async return() {
        close()
        return { done: true, value: undefined }
      },
    }),
    [Symbol.dispose]: close,
  }
}
