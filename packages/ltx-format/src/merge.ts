import type { ByteStream } from './byte-stream.ts'
import type { Checksum } from './checksum.ts'
import { Decoder } from './decoder.ts'
import { type Header, tracksChecksums } from './header.ts'
import type { PageKernel } from './kernel/page-kernel.ts'
import { type HashedBatch, MergeCursor } from './merge-cursor.ts'
import { mergeHeaders, notMeeting } from './merge-header.ts'
import { MergedFile } from './merged-file.ts'
import type { Pgno } from './page-size.ts'
import type { Trailer } from './trailer.ts'
import { isContiguous } from './txid.ts'

/** A file of a merge that says how it ends. */
export interface MergedInput {
  readonly header: Header
  /** What it ends with, once it is proven to. */
  finish(): Promise<Trailer>
  close(): Promise<void>
}

/** Contiguous files that are one input of a merge: each is verified, and `batches` has the newest copy of each of their pages. */
export interface MergeGroup {
  /** Oldest first, at least one. */
  readonly files: readonly MergedInput[]
  /** Of the files' page size. Not needed any more: other inputs are decoded with it. */
  readonly kernel: PageKernel | undefined
  readonly hasPages: true
  /** By ascending page number, without those that one of `files` truncated away. */
  batches(): AsyncGenerator<HashedBatch, void, undefined>
}

/** How mergeFiles works. */
export interface MergeOptions {
  readonly signal?: AbortSignal | undefined
  /**
   * Also takes a file that begins with transactions which the one before has, and ends behind it: it holds the newest copy of all
   * pages that these changed. Default false.
   */
  readonly overlapping?: boolean | undefined
  /**
   * A chunk stays as it is only until the one after the next is asked for: for who writes or copies each. New memory for all of them would
   * cost more than the rest of a merge. Default false.
   */
  readonly reuse?: boolean | undefined
  /** Called now and then with the last page written and the pages of the merged database. Must not throw. */
  readonly onProgress?: ((pgno: Pgno, commit: number) => void) | undefined
}

/** Bytes of output handed out at a time, about. */
const CHUNK_SIZE = 256 * 1024
/** Bytes that small inputs, which were read to their end, may hold together; the last one may pass it. */
const HELD_MEMORY = 16 * 1024 * 1024

/**
 * Merges contiguous files, oldest first, into one: for each page the newest copy, no page that a later file truncated away,
 * commit and timestamp of the last. Frames are copied as they are; pages are decompressed only to check and hash them. The
 * result never tracks checksums in LTX's own fields; it has a chain proof if every input has one.
 *
 * Inputs are opened one after the other. One that is small is read to its end at once and its frames are held, 16 MB together;
 * the others stay open, each with a small window. All ends are verified before the result's last bytes come, so a consumer that
 * got all bytes has a proven file. Chunks are the consumer's. Throws RangeError without inputs; while reading
 * LTXError 'non-contiguous', 'page-size-mismatch', 'checksum-mismatch' (a file, or proofs that do not meet), 'page-missing' (a
 * snapshot, or pages that grew back after a shrink, would have a hole), and whatever Decoder throws.
 */
export function mergeFiles(
  inputs: readonly (ByteStream | MergeGroup)[],
  options: MergeOptions = {},
): ByteStream {
  if (inputs.length === 0) throw new RangeError('nothing to merge')
  return merge(inputs, options)
}

async function* merge(
  inputs: readonly (ByteStream | MergeGroup)[],
  { signal, onProgress, overlapping = false, reuse = false }: MergeOptions,
): AsyncGenerator<Uint8Array, void, undefined> {
  const decoders: MergedInput[] = []
  try {
    const cursors = await openAll(inputs, decoders, signal)
    const headers = decoders.map(({ header }) => header)
    // For each input the last page that no later one truncates away; pages above are dead even if nothing replaces them.
    const alive: number[] = []
    let smallest = Infinity
    for (let i = headers.length - 1; i >= 0; i--) {
      alive[i] = smallest
      smallest = Math.min(smallest, headers[i]!.commit)
    }
    for (const cursor of cursors) cursor.alive = alive[cursor.file]!
    const output = new MergedFile(mergeHeaders(headers, overlapping), smallest)
    while (takeFront(cursors, output)) {
      for (const cursor of cursors) if (cursor.isPassed) await cursor.load()
      if (output.pending >= CHUNK_SIZE) {
        yield output.take(reuse)
        onProgress?.(output.last, output.header.commit)
      }
    }
    await finishAll(decoders)
    output.finish()
    yield output.take(reuse)
    onProgress?.(output.header.commit, output.header.commit)
  } finally {
    // One source that cannot be let go must not keep the others, nor hide why the merge failed.
    await Promise.allSettled(decoders.map((decoder) => decoder.close()))
  }
}

/**
 * Opens all inputs and reads a batch of each. One that ends with it is verified at once and lends its kernel to the next: a
 * kernel for each of many small files would cost more than their pages. Decoders go to `decoders` as they are opened.
 */
async function openAll(
  inputs: readonly (ByteStream | MergeGroup)[],
  decoders: MergedInput[],
  signal: AbortSignal | undefined,
): Promise<MergeCursor[]> {
  const cursors: MergeCursor[] = []
  let kernel = inputs.find((input) => 'files' in input)?.kernel
  let kept = 0
  let held = 0
  for (const input of inputs) {
    // Of inputs that stay open eight have a whole chunk, eight half of it and so on: a thousand together 11 MiB.
    const batchBytes = CHUNK_SIZE / (1 + (kept >> 3))
    const source = 'files' in input ? input : await Decoder.open(input, { kernel, signal, batchBytes })
    const newest = decoders.push(...('files' in source ? source.files : [source])) - 1
    const cursor = new MergeCursor(newest, source.batches(), source.kernel)
    cursors.push(cursor)
    await cursor.load()
    if (source !== input) kernel = undefined
    if (source.hasPages || held > HELD_MEMORY) kept++
    else {
      held += cursor.hold()
      await source.finish()
      kernel = source.kernel
    }
  }
  return cursors
}

/**
 * Moves the lowest page of all inputs to the result, and as long as only one input stands in front of all others, what it has
 * up to their next page, at most a batch. False when no input has a page left.
 */
function takeFront(cursors: readonly MergeCursor[], output: MergedFile): boolean {
  let pgno = Infinity
  let limit = Infinity
  let holders = 0
  let winner: MergeCursor | undefined
  for (const cursor of cursors) {
    const { pgno: at } = cursor
    if (at < pgno) {
      limit = pgno
      pgno = at
      holders = 0
      winner = undefined
    } else if (at > pgno) {
      if (at < limit) limit = at
      continue
    }
    holders++
    // Oldest to newest: the last one that has the page, and was not truncated later, wins.
    if (at <= cursor.alive) winner = cursor
  }
  if (pgno === Infinity) return false
  if (holders > 1) limit = pgno + 1
  for (const cursor of cursors) {
    if (cursor.pgno === pgno) cursor.pass(limit, cursor === winner ? output : undefined)
  }
  return true
}

/** Verifies the ends of all inputs, and that apply-checksums meet where LTX's own fields track them. */
async function finishAll(decoders: readonly MergedInput[]): Promise<void> {
  let previous: Header | undefined
  let before: Checksum
  for (const decoder of decoders) {
    const { header } = decoder
    const { postApplyChecksum } = await decoder.finish()
    const after = header.preApplyChecksum
    if (previous && isContiguous(previous, header) && tracksChecksums(previous) && tracksChecksums(header)) {
      if (before! !== after) throw notMeeting(previous, before!, header, after)
    }
    previous = header
    before = postApplyChecksum
  }
}
