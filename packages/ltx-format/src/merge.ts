import type { ByteStream } from './byte-stream.ts'
import type { Checksum } from './checksum.ts'
import { Decoder, type PageBatch } from './decoder.ts'
import { type Header, tracksChecksums } from './header.ts'
import { lastAlivePages, mergeHeaders, notMeeting } from './merge-header.ts'
import { MergedFile } from './merged-file.ts'
import type { Pgno } from './page-size.ts'

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
      winner?.addTo(output)
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
    // One source that cannot be let go must not keep the others, nor hide why the merge failed.
    await Promise.allSettled(cursors.map(({ decoder }) => decoder.close()))
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

  /** Hands the page it stands on to the result. */
  addTo(output: MergedFile): void {
    const { data, frames, frameSizes, sums } = this.#batch!
    const { pageSize } = this.decoder.header
    const i = this.#i
    output.add(
      this.pgno,
      frames.subarray(this.#frameAt, this.#frameAt + frameSizes[i]!),
      data.subarray(i * pageSize, (i + 1) * pageSize),
      sums.subarray(2 * i, 2 * i + 2),
    )
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

/** Verifies the ends of all inputs, and that apply-checksums meet where LTX's own fields track them. */
async function finishAll(cursors: readonly Cursor[]): Promise<void> {
  let previous: { header: Header; postApplyChecksum: Checksum } | undefined
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
