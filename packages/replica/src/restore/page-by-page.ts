import type { Header, KernelPool, PageIndex } from '@sqlstream/ltx'
import { lockPgno } from '@sqlstream/ltx'
import type { LTXFile } from '../catalog.ts'
import type { RestorePlan } from '../plan-restore.ts'
import type { Replica } from '../replica.ts'
import { BlockDecoder, DamagedFrames, type DecodedPages, type Filling } from './block-decoder.ts'
import { type LoadedFile, loadedBytes, loadFile } from './load-file.ts'
import { PageSet } from './page-set.ts'
import type { DatabaseShape, PageSink, Progress, RestoreBase, RestoreResult } from './page-sink.ts'
import { PageSums } from './page-sums.ts'
import { planReads, type ReadPart } from './plan-reads.ts'
import { readPart, takeEntries } from './read-part.ts'

/** Requests for small files and page indexes that run at a time, and the memory that what they bring may take. */
const MOST_AHEAD = 64
const AHEAD_BYTES = 64 * 1024 * 1024
/** Parts of large files that are read at a time. */
const PARALLEL_PARTS = 6
/** A page takes at least this many bytes in a file: header, size, and an LZ4 block of a page of zeros. */
const SMALLEST_FRAME = 16

/** The state that the newest file leads to is not proven by it: whole files must be read instead. */
export class Unproven extends Error {
  override readonly name = 'Unproven'
}

/** What was written before a file of the plan turned out to be gone. */
export interface Written {
  readonly base: RestoreBase
  readonly bytesRead: number
}

/** One way through a plan. */
export interface PagesRun {
  readonly replica: Replica
  readonly plan: RestorePlan
  readonly sink: PageSink
  readonly pool: KernelPool | undefined
  readonly signal: AbortSignal | undefined
  readonly onProgress: ((progress: Progress) => void) | undefined
  /** From an earlier run of the same restore; the sink has begun. */
  readonly written: Written | undefined
  /** Ask the sink what it has. */
  readonly useBase: boolean
}

/**
 * Restores from the newest file to the oldest: each claims the pages that no newer one has, so every page is read, decoded and
 * written once, and files are read side by side. What proves the result is the checksum of the whole database in the
 * newest file's header. SPEC.md R1..R3.
 */
export class PageByPage {
  readonly #run: PagesRun
  readonly #files: readonly LTXFile[]
  readonly #totalBytes: number
  readonly #stop = new AbortController()
  readonly #signal: AbortSignal
  readonly #sums = new PageSums()
  readonly #parts = new Set<Promise<void>>()
  #shape!: DatabaseShape
  #newest!: Header
  #claimed!: PageSet
  #written!: PageSet
  #needed = 0
  #decoder!: BlockDecoder
  #filling: Filling | undefined
  #base: RestoreBase | undefined
  #pagesKept = 0
  #unsaved = 0
  #bytes = 0
  #skipped = 0
  #done = 0
  #failure: { readonly error: unknown } | undefined

  constructor(run: PagesRun) {
    this.#run = run
    this.#files = run.plan.files.toReversed()
    this.#totalBytes = this.#files.reduce((sum, { size }) => sum + size, 0)
    this.#signal = run.signal ? AbortSignal.any([run.signal, this.#stop.signal]) : this.#stop.signal
    this.#bytes = run.written?.bytesRead ?? 0
  }

  /** What is written already, for another run; undefined before the first page. */
  get written(): Written | undefined {
    if (this.#written === undefined) return undefined
    const base = { checksum: this.#proven(), pages: this.#written, sums: this.#sums.words() }
    return { base, bytesRead: this.#bytes }
  }

  /**
   * Writes and proves all pages. Throws Unproven before it has begun; DamagedFrames, LTXError or ReplicaError `corrupt` when
   * something does not fit; the store's and the sink's errors.
   */
  async run(): Promise<RestoreResult> {
    const ahead = this.#loadAhead()
    try {
      for await (const loaded of ahead) {
        if (this.#newest === undefined) await this.#begin(loaded)
        this.#adoptBase(loaded)
        if (this.#claimed.count >= this.#needed) break
        await this.#claim(loaded)
        this.#done++
        this.#report()
        if (this.#claimed.count >= this.#needed) break
      }
      await this.#finish()
    } catch (error) {
      this.#failure ??= { error }
    } finally {
      this.#stop.abort(this.#failure?.error)
      await Promise.all(this.#parts)
      await this.#decoder?.idle()
    }
    if (this.#failure) throw this.#failure.error
    return this.#result()
  }

  async *#loadAhead(): AsyncGenerator<LoadedFile, void, void> {
    const { replica } = this.#run
    const files = this.#files
    const queue: { readonly loading: Promise<LoadedFile>; readonly bytes: number }[] = []
    let next = 0
    let bytes = 0
    for (;;) {
      while (next < files.length && queue.length < MOST_AHEAD) {
        const file = files[next] as LTXFile
        const cost = loadedBytes(file)
        if (queue.length > 0 && bytes + cost > AHEAD_BYTES) break
        // Until it is known that the state is proven, and of what size it is, nothing but the newest file is of use.
        if (next > 0 && this.#newest === undefined) break
        const withHeader = next === 0 || this.#base !== undefined
        const loading = loadFile(replica, file, { withHeader, signal: this.#signal })
        loading.catch(() => undefined)
        queue.push({ loading, bytes: cost })
        bytes += cost
        next++
      }
      const first = queue.shift()
      if (!first) return
      yield await first.loading
      bytes -= first.bytes
    }
  }

  async #begin({ header, file }: LoadedFile): Promise<void> {
    const { plan, sink, pool, written, useBase } = this.#run
    if (!header?.proof || plan.txid !== file.maxTXID) throw new Unproven()
    const { pageSize, commit } = header
    this.#newest = header
    this.#shape = { pageSize, commit }
    const lock = lockPgno(pageSize)
    this.#needed = commit >= lock ? commit - 1 : commit
    // A damaged size must not take all memory before the damage is found.
    if (this.#needed > this.#totalBytes / SMALLEST_FRAME) {
      throw new DamagedFrames(`${commit} pages in files of ${this.#totalBytes} bytes`)
    }
    if (!written) await sink.begin(this.#shape, { mayReuse: useBase })
    this.#claimed = new PageSet(commit)
    this.#written = new PageSet(commit)
    this.#sums.resize(commit, commit)
    this.#base = written?.base ?? (useBase ? await sink.base?.(this.#shape) : undefined)
    this.#decoder = new BlockDecoder({
      pageSize,
      pool,
      blocks: PARALLEL_PARTS + (pool ? 2 * pool.size : 1) + 1,
      signal: this.#signal,
      accept: (pages) => this.#write(pages),
    })
  }

  /** Once the way down has come to the state that the base is of, its pages need not be read. */
  #adoptBase({ header }: LoadedFile): void {
    const base = this.#base
    if (!base || header?.proof?.postApplyChecksum !== base.checksum) return
    this.#base = undefined
    const { commit } = this.#shape
    const end = Math.min(commit, base.pages.commit)
    const lock = lockPgno(this.#shape.pageSize)
    for (let pgno = 1; pgno <= end; pgno++) {
      if (pgno === lock || !base.pages.has(pgno) || !this.#claimed.add(pgno)) continue
      this.#written.add(pgno)
      this.#sums.put(pgno, base.sums[pgno * 2 - 2] as number, base.sums[pgno * 2 - 1] as number)
      this.#pagesKept++
    }
  }

  async #claim(loaded: LoadedFile): Promise<void> {
    const { index, bytes, file } = loaded
    this.#bytes += loaded.bytesRead
    const parts = planReads(index, this.#claimed)
    if (bytes) {
      for (const part of parts) await this.#addBytes(bytes, index, part)
      return
    }
    this.#skipped += file.size - loaded.bytesRead - parts.reduce((sum, { length }) => sum + length, 0)
    for (const part of parts) {
      while (this.#parts.size >= PARALLEL_PARTS) await Promise.race(this.#parts)
      if (this.#failure) throw this.#failure.error
      this.#start(this.#readPart(file, index, part))
    }
  }

  #start(reading: Promise<void>): void {
    const part = reading.catch((error: unknown) => {
      this.#failure ??= { error }
      this.#stop.abort(error)
    })
    this.#parts.add(part)
    void part.then(() => this.#parts.delete(part))
  }

  /** Frames of a small file go to the block that the one before has begun. */
  async #addBytes(bytes: Uint8Array, index: PageIndex, { runs }: ReadPart): Promise<void> {
    for (const { first, end } of runs) {
      for (let i = first; i < end; ) {
        this.#filling ??= await this.#decoder.take()
        const filling = this.#filling
        const until = takeEntries(filling, index, i, end)
        const from = index.offsets[i] as number
        const to = (index.offsets[until - 1] as number) + (index.sizes[until - 1] as number)
        filling.block.frames.set(bytes.subarray(from, to), filling.bytes)
        filling.bytes += to - from
        i = until
        if (filling.count === filling.block.capacity) this.#submitFilling()
      }
    }
  }

  #submitFilling(): void {
    if (this.#filling) this.#decoder.submit(this.#filling)
    this.#filling = undefined
  }

  #readPart(file: LTXFile, index: PageIndex, part: ReadPart): Promise<void> {
    return readPart(file, index, part, {
      store: this.#run.replica.store,
      decoder: this.#decoder,
      signal: this.#signal,
      onBytes: (bytes) => {
        this.#bytes += bytes
        this.#report()
      },
    })
  }

  async #write({ count, pgnos, data, sums }: DecodedPages): Promise<void> {
    await this.#run.sink.write({ count, pgnos, data })
    this.#sums.set(pgnos, sums, count)
    for (let i = 0; i < count; i++) this.#written.add(pgnos[i] as number)
    this.#unsaved += data.byteLength
    if (this.#unsaved < (this.#run.sink.saveAfterBytes ?? Number.POSITIVE_INFINITY)) return
    this.#unsaved = 0
    await this.#run.sink.save?.(this.#pos(), this.#written)
  }

  async #finish(): Promise<void> {
    this.#submitFilling()
    while (this.#parts.size > 0) await Promise.all(this.#parts)
    if (this.#failure) throw this.#failure.error
    await this.#decoder.settle()
    if (this.#written.count < this.#needed) {
      throw new DamagedFrames(`${this.#needed - this.#written.count} pages are in no file`)
    }
    if (this.#sums.checksum() !== this.#proven()) throw new DamagedFrames('the database checksum differs')
  }

  #proven() {
    // Begin refuses files without.
    return (this.#newest.proof as NonNullable<Header['proof']>).postApplyChecksum
  }

  #pos() {
    return { txid: this.#run.plan.txid, postApplyChecksum: this.#proven() }
  }

  #result(): RestoreResult {
    this.#done = this.#files.length
    this.#skipped = this.#totalBytes - this.#bytes
    this.#report()
    return {
      pos: this.#pos(),
      ...this.#shape,
      pageSums: this.#sums.words(),
      timestamp: new Date(this.#newest.timestamp),
      proven: true,
      bytesRead: this.#bytes,
      pagesKept: this.#pagesKept,
    }
  }

  #report(): void {
    const bytes = Math.min(this.#bytes + this.#skipped, this.#totalBytes)
    const totalFiles = this.#files.length
    this.#run.onProgress?.({ bytes, totalBytes: this.#totalBytes, files: this.#done, totalFiles })
  }
}
