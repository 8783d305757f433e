import {
  decodeHeader,
  HEADER_SIZE,
  type Header,
  LTXError,
  type PageIndex,
  type RandomAccessFile,
  readPageIndex,
  type TXID,
} from '@sqlstream/ltx'
import { type BlobContent, collectBody, getBytes, isStorageError } from '@sqlstream/storage'
import type { LTXFile } from '../catalog.ts'
import { ltxKey } from '../layout.ts'
import type { RestorePlan } from '../plan-restore.ts'
import { readWhole } from '../read-whole.ts'
import { type AbortOptions, checkRange, type Replica, signalOf } from '../replica.ts'
import { REQUEST_BYTES } from '../request-cost.ts'

/** A file of which it is known where each page lies. */
export interface LoadedFile {
  readonly file: LTXFile
  /** Not read of a large file if nobody asked for it. */
  readonly header: Header | undefined
  readonly index: PageIndex
  /** All of it, if it is small. */
  readonly bytes: Uint8Array | undefined
  /** Its beginning, if that was asked for: the header, and the first pages. */
  readonly head?: Uint8Array | undefined
  /** Bytes read so far. */
  readonly bytesRead: number
}

/** Whether a file is read with one request. */
export function isReadWhole(file: LTXFile): boolean {
  return file.size <= REQUEST_BYTES
}

/** Memory that a loaded file takes, in bytes, about. */
export function loadedBytes(file: LTXFile): number {
  // A page takes 16 bytes of an index and seldom less than some hundred in its file.
  return isReadWhole(file) ? file.size : Math.ceil(file.size / 16)
}

/** Options of `loadFile`. */
export interface LoadOptions extends AbortOptions {
  /** Also read the header of a large file: one request more. */
  readonly withHeader: boolean
  /** Bytes to read with the header: the pages with the lowest numbers are what a reader of a few pages needs first. Default: the header alone. */
  readonly headBytes?: number | undefined
}

/**
 * Reads a small file, or the page index of a large one (one request, sometimes two). Neither proves the pages.
 * Throws LTXError, ReplicaError `corrupt`, the store's errors.
 */
export async function loadFile(replica: Replica, file: LTXFile, options: LoadOptions): Promise<LoadedFile> {
  return isReadWhole(file) ? await loadWhole(replica, file, options) : await loadIndex(replica, file, options)
}

async function loadWhole(replica: Replica, file: LTXFile, options: AbortOptions): Promise<LoadedFile> {
  const { body } = await readWhole(replica.store, file, options)
  const bytes = await collectBody({ open: () => body }, signalOf(options))
  const header = decodeHeader(bytes)
  checkRange(file, header)
  const index = await readPageIndex(inMemory(bytes))
  return { file, header, index, bytes, bytesRead: bytes.byteLength }
}

async function loadIndex(replica: Replica, file: LTXFile, options: LoadOptions): Promise<LoadedFile> {
  let bytesRead = 0
  const remote = replica.randomAccess(file)
  const counted: RandomAccessFile = {
    size: remote.size,
    async read(offset, length, options) {
      const bytes = await remote.read(offset, length, options)
      bytesRead += bytes.byteLength
      return bytes
    },
  }
  const [head, index] = await Promise.all([
    options.withHeader ? readHead(replica, file, options) : undefined,
    readPageIndex(counted, options),
  ])
  const headBytes = head?.head.byteLength ?? 0
  return {
    file,
    header: head?.header,
    index,
    bytes: undefined,
    head: head?.head,
    bytesRead: bytesRead + headBytes,
  }
}

async function readHead(
  replica: Replica,
  file: LTXFile,
  { headBytes = HEADER_SIZE, signal }: LoadOptions,
): Promise<{ readonly header: Header; readonly head: Uint8Array }> {
  const range = { offset: 0, length: Math.max(HEADER_SIZE, headBytes) }
  const head = await getBytes(replica.store, file.key, { range, signal })
  const header = decodeHeader(head)
  checkRange(file, header)
  return { header, head }
}

/**
 * The capture right behind a state, if it is there: one request, which brings the end of the file, and so all of a small one; a large one takes a
 * request or two more. For those who wait for new states: asking for what is not there costs the least of all requests.
 *
 * Throws LTXError when the object is not complete yet or damaged; ReplicaError `corrupt`, the store's errors.
 */
export async function loadNextCapture(
  replica: Replica,
  txid: TXID,
  options: AbortOptions & Pick<LoadOptions, 'headBytes'> = {},
): Promise<LoadedFile | undefined> {
  const range = { minTXID: txid, maxTXID: txid }
  const key = ltxKey(replica.layout, 0, range)
  let content: BlobContent
  try {
    content = await replica.store.get(key, { range: { suffix: REQUEST_BYTES }, ...signalOf(options) })
  } catch (error) {
    if (isStorageError(error, 'not-found')) return undefined
    // An object without a byte: its upload has not ended on this store.
    if (!isStorageError(error, 'range-not-satisfiable')) throw error
    throw new LTXError('truncated', `${key} is empty`, { offset: 0 })
  }
  const { info, body } = content
  const tail = await collectBody({ open: () => body }, signalOf(options))
  const file: LTXFile = { ...range, key, level: 0, size: info.size, modified: info.modified }
  if (tail.byteLength === info.size) {
    const header = decodeHeader(tail)
    checkRange(file, header)
    return { file, header, index: await readPageIndex(inMemory(tail)), bytes: tail, bytesRead: info.size }
  }
  let bytesRead = tail.byteLength
  const tailAt = info.size - tail.byteLength
  const remote = replica.randomAccess(file)
  const withTail: RandomAccessFile = {
    size: info.size,
    async read(offset, length, options) {
      if (offset >= tailAt) return tail.subarray(offset - tailAt, offset - tailAt + length)
      bytesRead += length
      return await remote.read(offset, length, options)
    },
  }
  const [{ header, head }, index] = await Promise.all([
    readHead(replica, file, { ...options, withHeader: true }),
    readPageIndex(withTail, signalOf(options)),
  ])
  return { file, header, index, bytes: undefined, head, bytesRead: bytesRead + head.byteLength }
}

function inMemory(bytes: Uint8Array): RandomAccessFile {
  return {
    size: bytes.byteLength,
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  }
}

/** Whether a plan asks for more than one request: one small file is read and proven as a whole. */
export function hasManyReads({ files }: RestorePlan): boolean {
  return files.length > 1 || !isReadWhole(files[0] as LTXFile)
}
