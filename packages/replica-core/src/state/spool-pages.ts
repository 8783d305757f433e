import { closeSync, openSync, readSync } from 'node:fs'
import { type RandomAccessFile, readPageIndex } from '@sqlstream/ltx'
import type { SpoolFile } from './spool.ts'

/** The numbers of the pages in a spooled file. @throws LTXError when it is damaged; the system's error when it is gone */
export async function spoolPages(file: SpoolFile): Promise<Uint32Array> {
  if (file.content !== undefined) return (await readPageIndex(inMemory(file.content))).pgnos
  const fd = openSync(file.path, 'r')
  try {
    return (await readPageIndex({ size: file.size, read: async (at, length) => readAt(fd, at, length) }))
      .pgnos
  } finally {
    closeSync(fd)
  }
}

function inMemory(bytes: Uint8Array): RandomAccessFile {
  return { size: bytes.length, read: async (at, length) => bytes.subarray(at, at + length) }
}

function readAt(fd: number, at: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let done = 0
  while (done < length) {
    const read = readSync(fd, bytes, done, length - done, at + done)
    if (read === 0) break
    done += read
  }
  return bytes.subarray(0, done)
}
