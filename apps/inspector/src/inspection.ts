import { type Header, type PageIndex, readPageIndex } from '@sqlstream/ltx'
import { type Catalog, filesOf, type Layout, type LTXFile, Replica } from '@sqlstream/replica'
import { type BlobStore, Slots } from '@sqlstream/storage'

/** A replica that the page has been given. */
export interface Source {
  /** For people, without credentials. */
  readonly name: string
  readonly store: BlobStore
  readonly layout: Layout
  /** The address of an object, for a thread that fetches by itself. */
  urlOf(key: string): string
}

/** What became of a look at a file. */
export type Seen<T> = { readonly value: T } | { readonly error: Error }

/** Requests at a time: enough to hide the round trips. */
const PARALLEL = 12

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
  readonly #listeners = new Set<() => void>()
  readonly #slots = new Slots(PARALLEL)
  readonly #closing = new AbortController()

  private constructor(source: Source, replica: Replica, catalog: Catalog) {
    this.source = source
    this.replica = replica
    this.catalog = catalog
    this.files = filesOf(catalog)
    this.#selected = newest(this.files)?.key
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
    return this.files.find(({ key }) => key === this.#selected)
  }

  /** The catalog, with the times of those headers that were read. */
  timed(): LTXFile[] {
    return this.files.map((file) => {
      const header = this.headers.get(file.key)
      return header && 'value' in header ? { ...file, timestamp: new Date(header.value.timestamp) } : file
    })
  }

  select(file: LTXFile): void {
    this.#selected = file.key
    this.tell()
  }

  onChange(listener: () => void): void {
    this.#listeners.add(listener)
  }

  /** Tells the views, after a change. */
  tell(): void {
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

  /** Nothing that is under way is told any more. */
  async close(): Promise<void> {
    this.#listeners.clear()
    this.#closing.abort()
    await this.source.store[Symbol.asyncDispose]()
  }

  async #each<T>(
    files: readonly LTXFile[],
    known: Map<string, Seen<T>>,
    look: (file: LTXFile) => Promise<T>,
  ): Promise<void> {
    const missing = files.filter(({ key }) => !known.has(key))
    let told = performance.now()
    const looks = missing.map((file) =>
      this.#slots.run(async () => {
        try {
          known.set(file.key, { value: await look(file) })
        } catch (error) {
          if (this.signal.aborted) return
          known.set(file.key, { error: error as Error })
        }
        // Often enough to see it move, not for each of thousands.
        if (performance.now() - told < 100) return
        told = performance.now()
        this.tell()
      }, this),
    )
    await Promise.allSettled(looks)
    if (missing.length > 0) this.tell()
  }
}

function newest(files: readonly LTXFile[]): LTXFile | undefined {
  let best: LTXFile | undefined
  for (const file of files) if (!best || file.maxTXID > best.maxTXID) best = file
  return best
}
