import { Decoder, type Header, type PageIndex, readPageIndex } from '@sqlstream/ltx'
import { type Catalog, filesOf, type Layout, type LTXFile, Replica } from '@sqlstream/replica'
import { type BlobStore, Slots } from '@sqlstream/storage'
import { type ChainStatus, chainStatus, type Seen } from './model/chain-status.ts'
import { newestFiles } from './model/newest-files.ts'

/** A replica that the page has been given. */
export interface Source {
  /** For people, without credentials. */
  readonly name: string
  readonly store: BlobStore
  readonly layout: Layout
  /** The address of an object, for a thread that fetches by itself. */
  urlOf(key: string): string
}

/** Requests at a time: enough to hide the round trips. */
const PARALLEL = 12
/** Often enough to see it move, seldom enough that drawing takes little of the time. */
const TELL_MS = 150

/** What is known of one replica, and what is looked at. Views are told of each change. */
export class Inspection {
  readonly source: Source
  readonly replica: Replica
  readonly catalog: Catalog
  /** In the order of levels, then TXIDs. */
  readonly files: readonly LTXFile[]
  readonly headers = new Map<string, Seen<Header>>()
  readonly indexes = new Map<string, Seen<PageIndex>>()
  /** Files that were read to their last byte. */
  readonly checked = new Map<string, Seen<true>>()
  #selected: string | undefined
  #status: ChainStatus | undefined
  readonly #listeners = new Set<() => void>()
  #timer: ReturnType<typeof setTimeout> | undefined
  readonly #slots = new Slots(PARALLEL)
  /** Looks that are under way, by what they fill and by key. */
  readonly #pending = new Map<unknown, Map<string, Promise<void>>>()
  readonly #closing = new AbortController()

  private constructor(source: Source, replica: Replica, catalog: Catalog) {
    this.source = source
    this.replica = replica
    this.catalog = catalog
    this.files = filesOf(catalog)
    this.#selected = newestFiles(this.files, 1)[0]?.key
  }

  /** Lists what is there. */
  static async open(source: Source): Promise<Inspection> {
    const replica = new Replica(source.store, { layout: source.layout })
    return new Inspection(source, replica, await replica.catalog())
  }

  get signal(): AbortSignal {
    return this.#closing.signal
  }

  get selected(): LTXFile | undefined {
    const file = this.files.find(({ key }) => key === this.#selected)
    return file && this.#withTime(file)
  }

  /** What can be restored, and how sure that is, from what is known now. */
  get status(): ChainStatus {
    this.#status ??= chainStatus(this)
    return this.#status
  }

  /** Pages of the database at its largest, as far as headers were read. */
  get pageCount(): number {
    let most = 0
    for (const seen of this.headers.values()) if ('value' in seen) most = Math.max(most, seen.value.commit)
    return most
  }

  /** The time of the state after a transaction, ms; undefined while no header tells it. */
  timeOf(txid: bigint): number | undefined {
    const file = this.files.find(({ maxTXID, key }) => maxTXID === txid && this.headers.has(key))
    const header = file && this.headers.get(file.key)
    return header && 'value' in header ? header.value.timestamp : undefined
  }

  /** The catalog, with the times of those headers that were read. */
  timed(): LTXFile[] {
    return this.files.map((file) => this.#withTime(file))
  }

  #withTime(file: LTXFile): LTXFile {
    const header = this.headers.get(file.key)
    return header && 'value' in header ? { ...file, timestamp: new Date(header.value.timestamp) } : file
  }

  select(file: LTXFile): void {
    this.#selected = file.key
    this.#tellNow()
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Tells the views soon: many changes become one. */
  tell(): void {
    this.#timer ??= setTimeout(() => this.#tellNow(), TELL_MS)
  }

  #tellNow(): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
    this.#status = undefined
    for (const listener of this.#listeners) listener()
  }

  /** Reads these files' headers, unless they are known. */
  async readHeaders(files: readonly LTXFile[]): Promise<void> {
    await this.#each(files, this.headers, (file) => this.replica.header(file, this))
  }

  /** Reads where the pages of these files are, unless it is known. */
  async readIndexes(files: readonly LTXFile[]): Promise<void> {
    await this.#each(files, this.indexes, (file) => readPageIndex(this.replica.randomAccess(file), this))
  }

  /** Reads these files to their last byte and compares every checksum in them. */
  async check(files: readonly LTXFile[]): Promise<void> {
    await this.#each(files, this.checked, async (file) => {
      const decoder = await Decoder.open(this.replica.open(file, this), this)
      await decoder.finish()
      return true as const
    })
  }

  /** Nothing that is under way is told any more. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#listeners.clear()
    this.#closing.abort()
    await this.source.store[Symbol.asyncDispose]()
  }

  async #each<T>(
    files: readonly LTXFile[],
    known: Map<string, Seen<T>>,
    look: (file: LTXFile) => Promise<T>,
  ): Promise<void> {
    const pending = this.#pending.get(known) ?? new Map<string, Promise<void>>()
    this.#pending.set(known, pending)
    const missing = files.filter(({ key }) => !known.has(key))
    const looks = missing.map((file) => {
      const started = pending.get(file.key)
      if (started) return started
      const looking = this.#slots.run(async () => {
        try {
          known.set(file.key, { value: await look(file) })
        } catch (error) {
          if (!this.signal.aborted) known.set(file.key, { error: error as Error })
        }
        pending.delete(file.key)
        this.tell()
      }, this)
      pending.set(file.key, looking)
      return looking
    })
    await Promise.allSettled(looks)
  }
}
