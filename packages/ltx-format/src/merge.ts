import { readUint32 } from './big-endian.ts'
import type { ByteStream } from './byte-stream.ts'
import { joinChecksum, toChecksum } from './checksum.ts'
import { Crc64 } from './crc64.ts'
import { Decoder, type PageBatch } from './decoder.ts'
import { LTXError } from './errors.ts'
import { FRAME_HEADER_SIZE, PAGE_FLAG_SIZE } from './frame.ts'
import { createHeader, encodeHeader, type Header, tracksChecksums } from './header.ts'
import { createKernel } from './kernel/page-kernel.ts'
import { PageIndexWriter } from './page-index.ts'
import { PageOrder } from './page-order.ts'
import type { Pgno } from './page-size.ts'
import { encodeTail } from './tail.ts'
import { isContiguous, isSnapshot } from './txid.ts'

/** How mergeFiles works. */
export interface MergeOptions {
  readonly signal?: AbortSignal | undefined
  /** Called now and then with the last page written and the pages of the merged database. Must not throw. */
  readonly onProgress?: ((pgno: Pgno, commit: number) => void) | undefined
}

/** Bytes of output handed out at a time, about. */
const CHUNK_SIZE = 256 * 1024
/** Bytes of decoded pages that all inputs together may hold. */
const BATCH_MEMORY = 8 * 1024 * 1024

/**
 * Merges contiguous files, oldest first, into one: for each page the newest copy, no page that a later file truncated away,
 * commit and timestamp of the last. Frames are copied as they are; pages are decompressed only to check and hash them. The
 * result never tracks checksums in LTX's own fields; it has a chain proof if every input has one.
 *
 * All inputs are open at once, each with a small window. Their end is verified before the result's last bytes come, so a
 * consumer that got all bytes has a proven file. Chunks are the consumer's. Throws RangeError without inputs; while reading
 * LTXError 'non-contiguous', 'page-size-mismatch', 'checksum-mismatch' (a file, or proofs that do not meet), 'page-missing' (a
 * snapshot, or pages that grew back after a shrink, would have a hole), and whatever Decoder throws.
 */
export function mergeFiles(inputs: readonly ByteStream[], options: MergeOptions = {}): ByteStream {
  if (inputs.length === 0) throw new RangeError('nothing to merge')
  return merge(inputs, options)
}

async function* merge(
  inputs: readonly ByteStream[],
  { signal, onProgress }: MergeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const cursors: Cursor[] = []
  try {
    const batchBytes = Math.min(CHUNK_SIZE, Math.floor(BATCH_MEMORY / inputs.length))
    for (const input of inputs) cursors.push(new Cursor(await Decoder.open(input, { signal, batchBytes })))
    const headers = cursors.map((cursor) => cursor.decoder.header)
    const output = new MergedFile(mergeHeaders(headers), Math.min(...headers.map((h) => h.commit)))
    const alive = lastAlivePages(headers)

    for (const cursor of cursors) await cursor.load()
    for (;;) {
      const pgno = cursors.reduce((least, cursor) => Math.min(least, cursor.pgno), Infinity)
      if (pgno === Infinity) break
      // Oldest to newest: the last one that has the page, and was not truncated later, wins.
      let winner: Cursor | undefined
      for (let i = 0; i < cursors.length; i++) {
        if (cursors[i]!.pgno === pgno && pgno <= alive[i]!) winner = cursors[i]!
      }
      if (winner) output.add(winner)
      for (const cursor of cursors) if (cursor.pgno === pgno && !cursor.step()) await cursor.load()
      if (output.pending >= CHUNK_SIZE) {
        yield output.take()
        onProgress?.(pgno, output.header.commit)
      }
    }
    await finishAll(cursors)
    output.finish()
    yield output.take()
    onProgress?.(output.header.commit, output.header.commit)
  } finally {
    for (const { decoder } of cursors) await decoder.close()
  }
}

/** Where the merge stands in one input. */
class Cursor {
  readonly decoder: Decoder
  /** The page it stands on; Infinity after the last. */
  pgno = Infinity
  readonly #batches: AsyncGenerator<PageBatch, void, undefined>
  #batch: PageBatch | undefined
  #i = 0
  #frameAt = 0

  constructor(decoder: Decoder) {
    this.decoder = decoder
    this.#batches = decoder.batches()
  }

  get data(): Uint8Array {
    const { pageSize } = this.decoder.header
    return this.#batch!.data.subarray(this.#i * pageSize, (this.#i + 1) * pageSize)
  }

  get frame(): Uint8Array {
    return this.#batch!.frames.subarray(this.#frameAt, this.#frameAt + this.#batch!.frameSizes[this.#i]!)
  }

  get sumLow(): number {
    return this.#batch!.sums[2 * this.#i]!
  }

  get sumHigh(): number {
    return this.#batch!.sums[2 * this.#i + 1]!
  }

  /** To the next page of the batch at hand; false if there is none. */
  step(): boolean {
    const { frameSizes, pgnos, count } = this.#batch!
    this.#frameAt += frameSizes[this.#i]!
    this.#i++
    if (this.#i === count) return false
    this.pgno = pgnos[this.#i]!
    return true
  }

  /** To the first page of the next batch. */
  async load(): Promise<void> {
    const { value } = await this.#batches.next()
    this.#batch = value ?? undefined
    this.#i = 0
    this.#frameAt = 0
    this.pgno = value ? value.pgnos[0]! : Infinity
  }
}

/** Assembles the result. */
class MergedFile {
  readonly header: Header
  readonly #crc = new Crc64()
  readonly #order: PageOrder
  readonly #index = new PageIndexWriter()
  #chunk = new Uint8Array(2 * CHUNK_SIZE)
  /** Bytes in the chunk. */
  pending = 0
  #offset = 0
  #sumLow = 0
  #sumHigh = 0

  /** `smallest`: fewest pages that the database had after any input. Pages above it have grown since and must all be there. */
  constructor(header: Header, smallest: number) {
    this.header = header
    this.#order = new PageOrder(header, smallest)
    const bytes = encodeHeader(header)
    this.#crc.update(bytes)
    this.#append(bytes)
  }

  add(page: Cursor): void {
    this.#order.admit(page.pgno, this.#offset)
    const frame = modernFrame(page.frame, page.data, this.header)
    this.#crc.update(frame.subarray(0, FRAME_HEADER_SIZE))
    this.#crc.update(page.data)
    this.#sumLow ^= page.sumLow
    this.#sumHigh ^= page.sumHigh
    this.#index.add(page.pgno, this.#offset, frame.byteLength)
    this.#append(frame)
  }

  finish(): void {
    this.#order.finish(this.#offset)
    const claimed = this.header.proof?.postApplyChecksum
    const actual = joinChecksum(this.#sumLow, this.#sumHigh)
    if (isSnapshot(this.header) && claimed !== undefined && claimed !== actual) {
      throw new LTXError(
        'checksum-mismatch',
        `pages have checksum ${actual.toString(16)}, not ${claimed.toString(16)}`,
      )
    }
    this.#append(encodeTail(this.#index.finish(), toChecksum(0n), this.#crc).bytes)
  }

  /** The bytes since the last call, for the consumer to keep. */
  take(): Uint8Array {
    const bytes = this.#chunk.subarray(0, this.pending)
    this.#chunk = new Uint8Array(2 * CHUNK_SIZE)
    this.pending = 0
    return bytes
  }

  #append(bytes: Uint8Array): void {
    const end = this.pending + bytes.byteLength
    if (end > this.#chunk.byteLength) {
      const grown = new Uint8Array(end)
      grown.set(this.#chunk.subarray(0, this.pending))
      this.#chunk = grown
    }
    this.#chunk.set(bytes, this.pending)
    this.pending = end
    this.#offset += bytes.byteLength
  }
}

/** The frame as it is, or compressed anew if it is of the old kind without a size prefix. */
function modernFrame(frame: Uint8Array, data: Uint8Array, { pageSize }: Header): Uint8Array {
  if (frame[5] === PAGE_FLAG_SIZE) return frame
  const kernel = createKernel({ pageSize, batchBytes: pageSize })
  kernel.pages.set(data)
  kernel.pgnos[0] = readUint32(frame, 0)
  return kernel.frames.subarray(0, kernel.encode(1, false))
}

/** The result's header, once it is clear that the inputs belong together. */
function mergeHeaders(headers: readonly Header[]): Header {
  const first = headers[0]!
  const last = headers.at(-1)!
  for (let i = 1; i < headers.length; i++) expectFollows(headers[i - 1]!, headers[i]!)
  const proven = headers.every((header) => header.proof !== undefined)
  return createHeader({
    pageSize: first.pageSize,
    commit: last.commit,
    minTXID: first.minTXID,
    maxTXID: last.maxTXID,
    timestamp: last.timestamp,
    proof: proven
      ? {
          preApplyChecksum: first.proof!.preApplyChecksum,
          postApplyChecksum: last.proof!.postApplyChecksum,
        }
      : undefined,
  })
}

function expectFollows(previous: Header, next: Header): void {
  if (next.pageSize !== previous.pageSize) {
    throw new LTXError('page-size-mismatch', `page size ${next.pageSize} after ${previous.pageSize}`)
  }
  if (!isContiguous(previous, next)) {
    throw new LTXError('non-contiguous', `TXID ${next.minTXID} follows ${previous.maxTXID}`)
  }
  const before = previous.proof?.postApplyChecksum
  const after = next.proof?.preApplyChecksum
  if (before !== undefined && after !== undefined && before !== after) {
    throw notMeeting(previous, before, next, after)
  }
}

function notMeeting(previous: Header, before: bigint, next: Header, after: bigint): LTXError {
  const text = `TXID ${previous.maxTXID} ends at checksum ${before.toString(16)}, ${next.minTXID} starts at ${after.toString(16)}`
  return new LTXError('checksum-mismatch', text, { hint: 'the files are from different histories' })
}

/** For each input the last page that no later input truncates away; pages above are dead even if nothing replaces them. */
function lastAlivePages(headers: readonly Header[]): readonly number[] {
  let least = Infinity
  return headers
    .toReversed()
    .map(({ commit }) => {
      const alive = least
      least = Math.min(least, commit)
      return alive
    })
    .toReversed()
}

/** Verifies the ends of all inputs, and that apply-checksums meet where LTX's own fields track them. */
async function finishAll(cursors: readonly Cursor[]): Promise<void> {
  let previous: { header: Header; postApplyChecksum: bigint } | undefined
  for (const { decoder } of cursors) {
    const { header } = decoder
    const { postApplyChecksum } = await decoder.finish()
    if (previous && tracksChecksums(previous.header) && tracksChecksums(header)) {
      const before = previous.postApplyChecksum
      if (before !== header.preApplyChecksum)
        throw notMeeting(previous.header, before, header, header.preApplyChecksum)
    }
    previous = { header, postApplyChecksum }
  }
}
