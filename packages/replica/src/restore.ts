import {
  type ByteStream,
  type ChainProof,
  type Checksum,
  Decoder,
  formatChecksum,
  formatTXID,
  type Header,
  isContiguous,
  isLTXError,
  type PageKernel,
  type PageSize,
  type Pos,
} from '@sqlstream/ltx'
import { relayBody } from '@sqlstream/storage'
import type { LTXFile } from './catalog.ts'
import { ReplicaError } from './errors.ts'
import { intoSink } from './into-sink.ts'
import type { PageSink, RestoredImage } from './page-sink.ts'
import { PageSums } from './page-sums.ts'
import type { RestorePlan } from './plan-restore.ts'
import { type MakePool, PoolOnDemand } from './pool.ts'
import { proofOf } from './proof.ts'
import { type AbortOptions, checkRange, type Replica } from './replica.ts'

/** What a restore has produced. */
export interface RestoreResult extends RestoredImage {
  /** The restored TXID and the checksum of all restored pages. */
  readonly pos: Pos
  /** Checksum of each page, two words, low and high; 0, 0 for the lock page and for pages that no file holds. */
  readonly pageSums: Uint32Array
  /** Time in the last file's header. */
  readonly timestamp: Date
  /** The last file carries the checksum of the whole database, and it equals that of the restored pages. */
  readonly proven: boolean
}

/** How far a restore or a verification is. */
export interface Progress {
  readonly bytes: number
  readonly totalBytes: number
  readonly files: number
  readonly totalFiles: number
}

/** Options of `restore`. */
export interface RestoreOptions extends AbortOptions {
  /** Called after each chunk that was read. Must be quick and not throw. */
  readonly onProgress?: ((progress: Progress) => void) | undefined
  /** Threads to decode with, made and closed here, for plans of 64 MB and more. Default: this thread alone. */
  readonly pool?: MakePool | undefined
}

/**
 * Applies the files of a plan, oldest first, each read once from front to back and opened only when it is its turn.
 * Nothing becomes visible in the sink before every file's checksum and every chain proof has been compared. Memory: a
 * page batch plus 8 bytes a page; with a pool two batches more and two per thread.
 *
 * Throws ReplicaError `corrupt` (bytes or pages are not what was written) or `diverged` (a file was made for another
 * state than the one before it), the store's errors, the sink's errors, `signal.reason`. The sink is aborted first.
 */
export async function restore(
  replica: Replica,
  plan: RestorePlan,
  sink: PageSink,
  options: RestoreOptions = {},
): Promise<RestoreResult> {
  return await intoSink(sink, options.signal, () => {
    const rebuild = new Rebuild(replica, plan, sink, options)
    return rebuild.run().finally(() => rebuild.close())
  })
}

// A page takes at least this many bytes in a file: header, size, and an LZ4 block of a page of zeros.
const SMALLEST_FRAME = 16

/** State of one restore. */
class Rebuild {
  readonly #replica: Replica
  readonly #plan: RestorePlan
  readonly #sink: PageSink
  readonly #options: RestoreOptions
  readonly #sums = new PageSums()
  readonly #totalBytes: number
  readonly #pool: PoolOnDemand
  #kernel: PageKernel | undefined
  #pageSize: PageSize | undefined
  #commit = 0
  #bytes = 0
  #files = 0
  #timestamp = 0
  #proven = false

  constructor(replica: Replica, plan: RestorePlan, sink: PageSink, options: RestoreOptions) {
    if (plan.files[0]?.minTXID !== 1n) throw new TypeError('a plan begins with a snapshot')
    this.#replica = replica
    this.#plan = plan
    this.#sink = sink
    this.#options = options
    this.#totalBytes = plan.files.reduce((sum, file) => sum + file.size, 0)
    this.#pool = new PoolOnDemand(options.pool, this.#totalBytes)
  }

  async close(): Promise<void> {
    await this.#pool.close()
  }

  async run(): Promise<RestoreResult> {
    let previous: LTXFile | undefined
    for (const file of this.#plan.files) {
      this.#options.signal?.throwIfAborted()
      try {
        await this.#apply(file, previous)
      } catch (error) {
        throw isLTXError(error) ? corrupt(file, error) : error
      }
      previous = file
      this.#files++
      this.#report()
    }
    return {
      pos: { txid: (previous as LTXFile).maxTXID, postApplyChecksum: this.#sums.checksum() },
      pageSize: this.#pageSize as PageSize,
      commit: this.#commit,
      pageSums: this.#sums.words(),
      timestamp: new Date(this.#timestamp),
      proven: this.#proven,
      bytesRead: this.#bytes,
    }
  }

  async #apply(file: LTXFile, previous: LTXFile | undefined): Promise<void> {
    const { signal } = this.#options
    const body = this.#counted(this.#replica.open(file, { signal }))
    const decoder = await Decoder.open(body, {
      kernel: this.#kernel,
      pool: this.#pool.for(file.size),
      signal,
    })
    this.#kernel = decoder.kernel
    try {
      checkRange(file, decoder.header)
      const before = this.#sums.checksum()
      await this.#resize(file, decoder.header)
      for await (const batch of decoder.batches()) {
        this.#sums.set(batch.pgnos, batch.sums, batch.count)
        await this.#sink.write(batch)
      }
      const proof = proofOf(decoder.header, await decoder.finish())
      if (proof) this.#compare(file, proof, previous, before)
      this.#proven = proof !== undefined
      this.#timestamp = decoder.header.timestamp
    } finally {
      await decoder.close()
    }
  }

  async #resize(file: LTXFile, { pageSize, commit }: Header): Promise<void> {
    if (this.#pageSize === undefined) {
      this.#pageSize = pageSize
      await this.#sink.begin({ pageSize, commit })
    } else if (pageSize !== this.#pageSize) {
      throw new ReplicaError(
        'diverged',
        `${file.key} has pages of ${pageSize} bytes, the files before it have ${this.#pageSize}`,
        { file },
      )
    }
    if (commit < this.#commit) await this.#sink.truncate(commit)
    this.#sums.resize(commit, file.size / SMALLEST_FRAME)
    this.#commit = commit
  }

  #compare(file: LTXFile, proof: ChainProof, previous: LTXFile | undefined, before: Checksum): void {
    // The proof of what came before is about the state right before the file's first TXID: that is the state here,
    // unless the file begins earlier (it repeats transactions that are applied already).
    const follows = previous !== undefined && isContiguous(previous, file)
    if (follows && proof.preApplyChecksum !== before) {
      throw new ReplicaError(
        'diverged',
        `${file.key} was made for a database with checksum ${formatChecksum(proof.preApplyChecksum)}, ` +
          `but TXID ${formatTXID(previous.maxTXID)} has ${formatChecksum(before)}`,
        { file, hint: 'Two histories were mixed here. An earlier TXID can still be restored.' },
      )
    }
    const after = this.#sums.checksum()
    if (proof.postApplyChecksum !== after) {
      throw new ReplicaError(
        'corrupt',
        `the pages after ${file.key} have checksum ${formatChecksum(after)}, not ${formatChecksum(proof.postApplyChecksum)}`,
        { file },
      )
    }
  }

  #counted(body: ByteStream): ByteStream {
    return relayBody(body, {
      onChunk: ({ byteLength }) => {
        this.#bytes += byteLength
        this.#report()
      },
    })
  }

  #report(): void {
    this.#options.onProgress?.({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      files: this.#files,
      totalFiles: this.#plan.files.length,
    })
  }
}

function corrupt(file: LTXFile, cause: Error): ReplicaError {
  return new ReplicaError('corrupt', `${file.key}: ${cause.message}`, {
    cause,
    file,
    hint: 'verify tells which files are damaged; a state before this file, or one that another file leads to, can be restored.',
  })
}
