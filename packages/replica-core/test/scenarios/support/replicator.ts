import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** How a replicator process runs. */
export interface ReplicatorOptions {
  readonly database: string
  /** Folder of the replica. */
  readonly replica: string
  /** Text for killAt. */
  readonly failpoint?: string
  readonly syncIntervalMs?: number
  readonly checkpointFrames?: number
}
/** What it can be asked, one at a time. */
export type Task = 'open' | 'sync' | 'durable' | 'checkpoint' | 'close' | 'peakMemory'
export interface Reply {
  readonly value?: unknown
  readonly error?: string
}

/** A replicator in a process of its own, to be killed or measured. */
export class Replicator implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #gone: Promise<unknown>

  /**
   * @param execArgv further arguments of Node
   * @param env further environment variables
   */
  constructor(
    options: ReplicatorOptions,
    execArgv: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ) {
    const script = fileURLToPath(new URL('./replicator-main.ts', import.meta.url))
    this.#child = spawn(
      process.execPath,
      ['--conditions=@sqlstream/source', ...execArgv, script, JSON.stringify(options)],
      { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], env: { ...process.env, ...env } },
    )
    this.#gone = once(this.#child, 'exit')
  }

  /** Starts replication and waits until the database is attached. */
  static async start(options: ReplicatorOptions, execArgv: readonly string[] = []): Promise<Replicator> {
    const replicator = new Replicator(options, execArgv)
    await replicator.ask('open')
    return replicator
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** @throws Error when the task failed, or the process died */
  async ask(task: Task): Promise<unknown> {
    const reply = once(this.#child, 'message')
    this.#child.send(task)
    const died = this.#gone.then(() => [{ error: `the replicator died (${this.#child.signalCode})` }])
    const [{ value, error }] = (await Promise.race([reply, died])) as [Reply]
    if (error !== undefined) throw new Error(error)
    return value
  }

  /** Resolves with the signal that ended the process. */
  async died(): Promise<NodeJS.Signals | null> {
    await this.#gone
    return this.#child.signalCode
  }

  /** SIGKILL. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#gone
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}
