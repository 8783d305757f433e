import type { TXIDRange } from '@sqlstream/ltx'
import type { LiveSnapshot } from './capture/context.ts'
import { type BatchLimits, batchLength } from './plan-batch.ts'
import type { SpoolFile } from './state/spool.ts'

/** Of a stream, in bytes: what its reader and a driver keep. */
const ON_ITS_WAY = 8 << 20

/** Something to be uploaded, in order. */
export type Pending =
  | { readonly kind: 'file'; readonly file: SpoolFile }
  | {
      readonly kind: 'snapshot'
      readonly snapshot: LiveSnapshot
      /** Called when it needs the live database no longer: it is in the replica, or was dropped. */
      done(): void
      /** Called when the live database could not be read as promised: take another one. */
      broken(error: Error): void
    }

/** What goes up with one put: a snapshot, or another image of the live database, or files one behind the other, which are merged when they are more than one. */
export type Upload =
  | { readonly kind: 'files'; readonly files: readonly SpoolFile[] }
  | Extract<Pending, { kind: 'snapshot' }>

/** From the first transaction of the first of these files to the last of the last. */
export function rangeOf(files: readonly SpoolFile[]): TXIDRange {
  return { minTXID: (files[0] as SpoolFile).minTXID, maxTXID: (files.at(-1) as SpoolFile).maxTXID }
}

/** From the first transaction of an upload to its last. */
export function rangeOfUpload(upload: Upload): TXIDRange {
  return upload.kind === 'files' ? rangeOf(upload.files) : upload.snapshot.header
}

/** How much of an upload is in memory when it is put: of a large file and of an image it is what is on its way. */
export function bytesInMemory(upload: Upload): number {
  if (upload.kind === 'snapshot') return ON_ITS_WAY
  const { files } = upload
  const bytes = files.reduce((sum, { size }) => sum + size, 0)
  return files.length === 1 ? Math.min(bytes, ON_ITS_WAY) : bytes
}

/** What waits to be uploaded, oldest first, and the upload that is tried. */
export class UploadQueue {
  readonly #waiting: Pending[] = []
  readonly #limits: BatchLimits | undefined
  #current: Upload | undefined
  #count = 0
  #bytes = 0

  constructor(limits?: BatchLimits) {
    this.#limits = limits
  }

  get isEmpty(): boolean {
    return this.#current === undefined && this.#waiting.length === 0
  }

  /** Files and snapshots that are not in the replica. */
  get count(): number {
    return this.#count
  }

  /** Bytes of the files among them. */
  get bytes(): number {
    return this.#bytes
  }

  push(pending: Pending): void {
    this.#waiting.push(pending)
    this.#count++
    if (pending.kind === 'file') this.#bytes += pending.file.size
  }

  /**
   * What is to be tried now. It stays the same until it is done or dropped: an attempt whose outcome is not known may have put
   * it, and another range over the same transactions would stand beside it.
   * @param crowded whether other databases wait for their turn
   */
  next({ crowded = false }: { readonly crowded?: boolean } = {}): Upload | undefined {
    if (this.#current !== undefined) return this.#current
    const files: SpoolFile[] = []
    for (const pending of this.#waiting) {
      if (pending.kind === 'snapshot') break
      files.push(pending.file)
    }
    if (files.length > 0) {
      const length = batchLength(files, { limits: this.#limits, crowded })
      this.#waiting.splice(0, length)
      this.#current = { kind: 'files', files: files.slice(0, length) }
    } else {
      this.#current = this.#waiting.shift() as Extract<Pending, { kind: 'snapshot' }> | undefined
    }
    return this.#current
  }

  /** Whether this is still what is tried. */
  isCurrent(upload: Upload): boolean {
    return this.#current === upload
  }

  /** It is in the replica, or given up. */
  done(upload: Upload): void {
    if (this.#current !== upload) return
    this.#current = undefined
    if (upload.kind === 'snapshot') {
      this.#count--
      return
    }
    this.#count -= upload.files.length
    for (const { size } of upload.files) this.#bytes -= size
  }

  /** Drops everything, and returns it. */
  drop(): Upload[] {
    const dropped: Upload[] = []
    for (let upload = this.next(); upload !== undefined; upload = this.next()) {
      this.done(upload)
      dropped.push(upload)
    }
    return dropped
  }
}
