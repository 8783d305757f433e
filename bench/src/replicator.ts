import { Child } from './child.ts'

/** What to replicate, and the folder into which. */
export interface ReplicatorOptions {
  readonly database: string
  readonly replica: string
  /** Default: that of the package. */
  readonly syncIntervalMs?: number | undefined
}

/** What a replicator has done so far. */
export interface ReplicatorReply {
  readonly captures: number
  /** How long writers were kept out, each time, ms. */
  readonly writeLocks: readonly number[]
  /** Failures and resyncs: none are expected. */
  readonly failures: readonly string[]
  readonly pendingFiles: number
  readonly peakBytes: number
}

/** sqlstream in a process of its own. */
export class Replicator implements AsyncDisposable {
  readonly #child: Child<ReplicatorReply>

  private constructor(child: Child<ReplicatorReply>) {
    this.#child = child
  }

  /** Resolves when the first snapshot is in the replica. */
  static async start(options: ReplicatorOptions): Promise<Replicator> {
    const child = new Child<ReplicatorReply>('replicator-main', options)
    await child.receive()
    return new Replicator(child)
  }

  get pid(): number {
    return this.#child.pid
  }

  /** Lets it upload what is left. @throws Error when something failed, so that no figure of a failed run is kept */
  async stop(): Promise<ReplicatorReply> {
    const reply = await this.#child.ask({ do: 'stop' })
    await this.#child.ended()
    if (reply.failures.length > 0) throw new Error(`the replicator met: ${reply.failures.join('; ')}`)
    if (reply.pendingFiles > 0) throw new Error(`${reply.pendingFiles} files were not uploaded`)
    return reply
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]()
  }
}
