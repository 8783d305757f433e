import { Child } from './child.ts'

/**
 * Who shows the rows of the application: `follower` keeps a copy and is asked nothing; `file` reads that copy, as any program may; the others answer from the
 * replica, or from a copy of their own.
 */
export type ReaderKind = 'follower' | 'file' | 'replica' | 'hydrated'

/** What is followed, and how. */
export interface ReaderOptions {
  readonly kind: ReaderKind
  /** Folder of the replica. */
  readonly replica: string
  /** The copy, where there is one. */
  readonly copy: string
  /** Between two looks for something new. Default: that of the package. */
  readonly pollMs: number | undefined
}

/** When rows were seen first, on the shared clock: each time the newest row was another one. */
export interface ReaderReply {
  readonly rows: readonly number[]
  readonly times: readonly number[]
}

/** A reader in a process of its own. */
export class Reader implements AsyncDisposable {
  readonly #child: Child<ReaderReply>

  private constructor(child: Child<ReaderReply>) {
    this.#child = child
  }

  /** Resolves when it reads, from its copy if it has one. */
  static async start(options: ReaderOptions): Promise<Reader> {
    const child = new Child<ReaderReply>('follow-reader-main', options)
    await child.receive()
    return new Reader(child)
  }

  /** Waits until it has seen this row. */
  seen(row: number): Promise<ReaderReply> {
    return this.#child.ask({ row })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]()
  }
}
