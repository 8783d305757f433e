import { ReadOnlyStore } from '@sqlstream/read-replica/web'
import {
  type BlobContent,
  type BlobInfo,
  type BlobStream,
  createBody,
  type ETag,
  type GetOptions,
  resolveRange,
} from '@sqlstream/storage'

/** A file of this machine that stands for an object. */
export interface LocalFile {
  readonly key: string
  readonly blob: Blob
  readonly modified: Date
}

/** Files that were dropped on the page, as a store. Bytes are read when they are asked for. */
export class BlobFiles extends ReadOnlyStore {
  override readonly driver = 'dropped'
  readonly #files: ReadonlyMap<string, LocalFile>
  readonly #urls = new Map<string, string>()

  constructor(files: Iterable<LocalFile>) {
    super()
    this.#files = new Map(Array.from(files, (file) => [file.key, file]))
  }

  /** An address for a thread that fetches by itself. It lives as long as the store. */
  urlOf(key: string): string {
    const known = this.#urls.get(key)
    if (known !== undefined) return known
    const file = this.#files.get(key)
    if (!file) throw this.failure('get', 'not-found', `there is no ${key}`, key)
    const url = URL.createObjectURL(file.blob)
    this.#urls.set(key, url)
    return url
  }

  protected override async objects(): Promise<readonly BlobInfo[]> {
    return Array.from(this.#files.values(), infoOf)
  }

  override async get(key: string, { range, signal }: GetOptions = {}): Promise<BlobContent> {
    signal?.throwIfAborted()
    const file = this.#files.get(key)
    if (!file) throw this.failure('get', 'not-found', `there is no ${key}`, key)
    const part = resolveRange(range, file.blob.size)
    if (!part) throw this.failure('get', 'range-not-satisfiable', `${key} ends before that range`, key)
    return { info: infoOf(file), body: streamBody(file.blob.slice(part.start, part.end)) }
  }

  override async [Symbol.asyncDispose](): Promise<void> {
    for (const url of this.#urls.values()) URL.revokeObjectURL(url)
    this.#urls.clear()
  }
}

function streamBody(blob: Blob): BlobStream {
  const reader = blob.stream().getReader()
  return createBody({ next: async () => (await reader.read()).value, close: () => reader.cancel() })
}

function infoOf({ key, blob, modified }: LocalFile): BlobInfo {
  return { key, size: blob.size, etag: String(blob.size) as ETag, modified }
}
