import { type ByteStream, isLTXError } from '@sqlstream/ltx'
import { decompressFrameStream } from '@sqlstream/ltx/lz4'
import { relayBody } from '@sqlstream/storage'
import { isWALError } from '@sqlstream/wal'
import { isReplicaError } from '../errors.ts'
import { intoSink } from '../into-sink.ts'
import { openWhenRead } from '../open-object.ts'
import { type AbortOptions, type Replica, signalOf } from '../replica.ts'
import type { PageSink, Progress, RestoredImage } from '../restore/page-sink.ts'
import { damaged } from './damage.ts'
import type { SegmentObject } from './generation-catalog.ts'
import { lastCommitEnd } from './last-commit.ts'
import type { GenerationPlan } from './plan-generation.ts'
import { ReadAhead } from './read-ahead.ts'
import { SegmentFrames } from './segment-frames.ts'
import { type SnapshotImage, writeSnapshot } from './snapshot-image.ts'
import { formatPosition, holeError } from './wal-chain.ts'
import { WALReplay } from './wal-replay.ts'

/** Options of `restoreGeneration`. */
export interface RestoreGenerationOptions extends AbortOptions {
  /** Called after each chunk that was read. Must be quick and not throw. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
}

/**
 * Rebuilds a database from a backup of Litestream 0.3: the snapshot, then the committed transactions of each WAL. Every object
 * is read once from front to back (the end of a WAL twice if a transaction has more than 32 MiB). Nothing becomes visible
 * in the sink before all checksums were right: those of the LZ4 frames, and the running one of SQLite over each WAL.
 *
 * Throws ReplicaError `corrupt` (bytes are not what was written; the message names the object) or `gap` (a segment is missing,
 * which only the content of others tells), the store's errors, the sink's errors, `signal.reason`. The sink is aborted first.
 */
export async function restoreGeneration(
  replica: Replica,
  plan: GenerationPlan,
  sink: PageSink,
  options: RestoreGenerationOptions = {},
): Promise<RestoredImage> {
  return await intoSink(sink, options.signal, () => {
    const rebuild = new GenerationRestore(replica, plan, sink, options)
    return rebuild.run().finally(() => rebuild.close())
  })
}

/** State of one restore. */
class GenerationRestore {
  readonly #replica: Replica
  readonly #plan: GenerationPlan
  readonly #sink: PageSink
  readonly #options: RestoreGenerationOptions
  readonly #totalBytes: number
  readonly #ahead: ReadAhead
  #bytes = 0
  #files = 0
  /** End of the last WAL before which nothing seems to be missing. */
  #fitting: SegmentObject | undefined

  constructor(replica: Replica, plan: GenerationPlan, sink: PageSink, options: RestoreGenerationOptions) {
    this.#replica = replica
    this.#plan = plan
    this.#sink = sink
    this.#options = options
    this.#ahead = new ReadAhead(replica.store, [plan.snapshot, ...plan.segments], options.signal)
    this.#totalBytes = plan.segments.reduce((sum, { size }) => sum + size, plan.snapshot.size)
  }

  async close(): Promise<void> {
    await this.#ahead.close()
  }

  async run(): Promise<RestoredImage> {
    const image = await this.#snapshot()
    const { pageSize } = image
    const commit = this.#plan.segments.length === 0 ? image.pages : await this.#replay(image)
    return { pageSize, commit, timestamp: this.#plan.timestamp, bytesRead: this.#bytes }
  }

  async #snapshot(): Promise<SnapshotImage> {
    const { key } = this.#plan.snapshot
    const image = await naming(key, () => writeSnapshot(key, this.#open(key), this.#sink))
    this.#done()
    return image
  }

  /** Applies all segments and returns the size in pages. */
  async #replay(image: SnapshotImage): Promise<number> {
    const frames = new SegmentFrames(image.pageSize)
    const replay = new WALReplay(this.#sink, image)
    let previous: SegmentObject | undefined
    for (const segment of this.#plan.segments) {
      this.#options.signal?.throwIfAborted()
      if (segment.index !== previous?.index) {
        if (previous) await this.#endWAL(replay, previous)
        frames.restart()
        replay.beginWAL()
      }
      mustBegin(segment, frames.offset, previous)
      await this.#apply(segment, frames, replay, image)
      previous = segment
      this.#done()
    }
    const last = previous as SegmentObject
    await this.#endWAL(replay, last)
    const { following } = this.#plan
    if (following?.index === last.index) mustBegin(following, frames.offset, last)
    return replay.commit
  }

  async #apply(
    segment: SegmentObject,
    frames: SegmentFrames,
    replay: WALReplay,
    { pageSize }: SnapshotImage,
  ): Promise<void> {
    const { key, index } = segment
    const findLastCommit = (): Promise<number> => {
      const sameWAL = this.#plan.segments.filter((each) => each.index === index)
      const { store } = this.#replica
      const options = signalOf(this.#options)
      return lastCommitEnd(sameWAL, pageSize, (each) => this.#decoded(openWhenRead(store, each, options)))
    }
    try {
      await naming(key, async () => {
        for await (const block of frames.read(key, this.#open(key))) await replay.add(block, findLastCommit)
      })
    } catch (error) {
      if (!isReplicaError(error, 'gap')) throw error
      throw holeError(`the end of a WAL before ${key} is missing: ${error.message}`, this.#fitting)
    }
  }

  async #endWAL(replay: WALReplay, last: SegmentObject): Promise<void> {
    try {
      await naming(last.key, () => replay.endWAL())
    } catch (error) {
      if (!isReplicaError(error, 'gap')) throw error
      throw holeError(`something is missing before the end of ${last.key}: ${error.message}`, this.#fitting)
    }
    if (replay.hasPageOne || this.#fitting === undefined) this.#fitting = last
  }

  #open(key: string): AsyncIterable<Uint8Array> {
    return this.#decoded(this.#ahead.take(key))
  }

  #decoded(body: ByteStream): AsyncIterable<Uint8Array> {
    return decompressFrameStream(this.#counted(body), { signal: this.#options.signal })
  }

  #counted(body: ByteStream): ByteStream {
    return relayBody(body, {
      onChunk: ({ byteLength }) => {
        this.#bytes += byteLength
        this.#report()
      },
    })
  }

  #done(): void {
    this.#files++
    this.#report()
  }

  #report(): void {
    this.#options.onProgress?.({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      files: this.#files,
      totalFiles: this.#plan.segments.length + 1,
    })
  }
}

/** A segment must begin where the one before it ended. */
function mustBegin(segment: SegmentObject, end: number, previous: SegmentObject | undefined): void {
  if (segment.offset === end) return
  const reached = formatPosition({ index: segment.index, offset: end })
  if (segment.offset > end) {
    throw holeError(`the segments from ${reached} on are missing, before ${segment.key}`, previous)
  }
  throw damaged(`${segment.key} begins before ${reached}, where the one before it ends`)
}

/** Runs `work` on an object and makes `corrupt`, which names it, of what says that bytes are wrong. */
async function naming<T>(key: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work()
  } catch (error) {
    if (!isLTXError(error) && !isWALError(error)) throw error
    throw damaged(`${key}: ${error.message}`, error)
  }
}
