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
} from '@sqlstream/ltx'
import { relayBody } from '@sqlstream/storage'
import type { LTXFile } from '../catalog.ts'
import { corruptFile, ReplicaError } from '../errors.ts'
import type { RestorePlan } from '../plan-restore.ts'
import type { PoolOnDemand } from '../pool.ts'
import { proofOf } from '../proof.ts'
import { checkRange, type Replica } from '../replica.ts'
import type { PageSink, Progress, RestoreResult } from './page-sink.ts'
import { PageSums } from './page-sums.ts'

// A page takes at least this many bytes in a file: header, size, and an LZ4 block of a page of zeros.
const SMALLEST_FRAME = 16

/** One way through a plan. */
export interface FilesRun {
  readonly replica: Replica
  readonly plan: RestorePlan
  readonly sink: PageSink
  readonly pool: PoolOnDemand
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
}

/**
 * Applies the files of a plan, oldest first, each read once from front to back and opened only when it is its turn. Compares every
 * file's checksum and every chain proof. Memory: a page batch plus 8 bytes a page; with a pool two batches more and two
 * per thread.
 */
export class FileByFile {
  readonly #run: FilesRun
  readonly #sums = new PageSums()
  readonly #totalBytes: number
  #kernel: PageKernel | undefined
  #pageSize: PageSize | undefined
  #commit = 0
  #bytes = 0
  #files = 0
  #timestamp = 0
  #proven = false

  constructor(run: FilesRun) {
    this.#run = run
    this.#totalBytes = run.plan.files.reduce((sum, file) => sum + file.size, 0)
  }

  /** Throws ReplicaError `corrupt` or `diverged`, the store's and the sink's errors. */
  async run(): Promise<RestoreResult> {
    let previous: LTXFile | undefined
    for (const file of this.#run.plan.files) {
      this.#run.signal?.throwIfAborted()
      try {
        await this.#apply(file, previous)
      } catch (error) {
        throw isLTXError(error) ? corruptFile(file, error) : error
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
      pagesKept: 0,
    }
  }

  async #apply(file: LTXFile, previous: LTXFile | undefined): Promise<void> {
    const { replica, sink, pool, signal } = this.#run
    const body = this.#counted(replica.open(file, { signal }))
    const decoder = await Decoder.open(body, {
      kernel: this.#kernel,
      pool: pool.for(file.size),
      signal,
    })
    this.#kernel = decoder.kernel
    try {
      checkRange(file, decoder.header)
      const before = this.#sums.checksum()
      await this.#resize(file, decoder.header)
      for await (const batch of decoder.batches()) {
        this.#sums.set(batch.pgnos, batch.sums, batch.count)
        await sink.write(batch)
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
      await this.#run.sink.begin({ pageSize, commit }, { mayReuse: false })
    } else if (pageSize !== this.#pageSize) {
      throw new ReplicaError(
        'diverged',
        `${file.key} has pages of ${pageSize} bytes, the files before it have ${this.#pageSize}`,
        { file },
      )
    }
    if (commit < this.#commit) await this.#run.sink.truncate(commit)
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
    this.#run.onProgress?.({
      bytes: this.#bytes,
      totalBytes: this.#totalBytes,
      files: this.#files,
      totalFiles: this.#run.plan.files.length,
    })
  }
}
