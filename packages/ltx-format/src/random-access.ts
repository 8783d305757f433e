import { readSize, readUint32, viewOf } from './big-endian.ts'
import { LTXError } from './errors.ts'
import { FRAME_HEADER_SIZE, PAGE_FLAG_SIZE, PAGE_HEADER_SIZE } from './frame.ts'
import { decodeHeader, HEADER_SIZE, type Header } from './header.ts'
import { decompress } from './kernel/lz4-decompress.ts'
import { decompressFrameInto, frameLength } from './lz4-frame.ts'
import { decodePageIndex, type PageIndex, type PageIndexEntry } from './page-index.ts'
import type { Page, PageSize } from './page-size.ts'
import { TRAILER_SIZE } from './trailer.ts'

/** What reads of one file take. */
export interface ReadOptions {
  readonly signal?: AbortSignal | undefined
}

/** Random access to one immutable file. `read` returns exactly the bytes asked for, or fewer at the end of the file. */
export interface RandomAccessFile {
  /** Bytes. */
  readonly size: number
  read(offset: number, length: number, options?: { readonly signal?: AbortSignal }): Promise<Uint8Array>
}

/** Most indexes are found by one read of the last bytes: an entry takes 8 or 9, and a page seldom less than 1,800. */
function tailSize(fileSize: number): number {
  return Math.min(Math.max(16 * 1024, Math.ceil(fileSize / 200)), 1024 * 1024)
}

/** The size of the index and the trailer. */
const FOOT_SIZE = 8 + TRAILER_SIZE

/** Reads the header. Throws LTXError 'truncated', 'bad-magic' or 'bad-header'. */
export async function readHeader(file: RandomAccessFile, options: ReadOptions = {}): Promise<Header> {
  return decodeHeader(await readExactly(file, 0, Math.min(file.size, HEADER_SIZE), options))
}

/**
 * Reads where the pages are, with one or two reads. The file checksum is not verified. Throws LTXError 'truncated' or
 * 'bad-index'.
 */
export async function readPageIndex(file: RandomAccessFile, options: ReadOptions = {}): Promise<PageIndex> {
  const least = HEADER_SIZE + PAGE_HEADER_SIZE + 1 + FOOT_SIZE
  if (file.size < least)
    throw new LTXError('truncated', `file has ${file.size} of at least ${least} bytes`, { offset: file.size })
  const tailAt = Math.max(HEADER_SIZE + PAGE_HEADER_SIZE, file.size - tailSize(file.size))
  const tail = await readExactly(file, tailAt, file.size - tailAt, options)
  const footAt = file.size - FOOT_SIZE
  const size = readSize(viewOf(tail), footAt - tailAt)
  const start = size === undefined ? -1 : footAt - size
  if (start < HEADER_SIZE + PAGE_HEADER_SIZE) {
    throw new LTXError('bad-index', 'page index is longer than the file', { offset: footAt })
  }
  const bytes =
    start >= tailAt
      ? tail.subarray(start - tailAt, footAt - tailAt)
      : await readExactly(file, start, footAt - start, options)
  return decodePageIndex(bytes, start)
}

/**
 * Reads one page by its index entry; the data is the caller's. Its bytes are checked for form only: the file checksum needs
 * the whole file. Throws LTXError 'truncated', 'bad-page', or 'bad-index' if another page lies there.
 */
export async function readPage(
  file: RandomAccessFile,
  entry: PageIndexEntry,
  pageSize: PageSize,
  options: ReadOptions = {},
): Promise<Page> {
  const { pgno, offset, size } = entry
  const bad = (message: string) => new LTXError('bad-page', `page ${pgno}: ${message}`, { offset })
  if (size > 2 * pageSize + 1024) throw bad(`frame of ${size} bytes is too long`)
  const frame = await readExactly(file, offset, size, options)
  if (size <= PAGE_HEADER_SIZE) throw bad('frame is too short')
  if (readUint32(frame, 0) !== pgno) {
    throw new LTXError('bad-index', `page ${readUint32(frame, 0)} where page ${pgno} should be`, { offset })
  }
  const data = new Uint8Array(pageSize)
  const flags = (frame[4]! << 8) | frame[5]!
  if (flags === 0) {
    if (frameLength(frame, PAGE_HEADER_SIZE, size) !== size - PAGE_HEADER_SIZE)
      throw bad('LZ4 frame does not fill it')
    decompressFrameInto(frame, PAGE_HEADER_SIZE, size, data, 0, pageSize)
    return { pgno, data }
  }
  if (flags !== PAGE_FLAG_SIZE) throw bad(`unknown page flags 0x${flags.toString(16)}`)
  if (size < FRAME_HEADER_SIZE || readUint32(frame, PAGE_HEADER_SIZE) !== size - FRAME_HEADER_SIZE) {
    throw bad('size prefix differs from the index')
  }
  if (
    decompress(frame, viewOf(frame), FRAME_HEADER_SIZE, size, data, viewOf(data), 0, pageSize, 0) !== pageSize
  ) {
    throw bad(`not an LZ4 block of ${pageSize} bytes`)
  }
  return { pgno, data }
}

async function readExactly(
  file: RandomAccessFile,
  offset: number,
  length: number,
  { signal }: ReadOptions,
): Promise<Uint8Array> {
  signal?.throwIfAborted()
  const bytes = await file.read(offset, length, signal ? { signal } : {})
  if (bytes.byteLength !== length) {
    throw new LTXError('truncated', `read ${bytes.byteLength} of ${length} bytes`, { offset })
  }
  return bytes
}
