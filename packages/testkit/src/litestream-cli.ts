import { type ChildProcess, spawn } from 'node:child_process'
import { litestreamEnvironment } from './litestream-environment.ts'
import { runProgram } from './run-program.ts'

/** Which state the peer restores. Default: the newest. */
export interface CLIRestoreOptions {
  /** 16 hex digits. */
  readonly txid?: string
  readonly timestamp?: Date
  /** Its own check of the restored file. Default 'full'. */
  readonly integrityCheck?: 'none' | 'quick' | 'full'
  /** Default 60 s. */
  readonly timeoutMs?: number
}

/** A `litestream replicate` that runs. */
export class LitestreamReplication implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #ended: Promise<string>
  #output = ''

  constructor(child: ChildProcess) {
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) {
      stream?.setEncoding('utf8').on('data', (text: string) => {
        this.#output += text
      })
    }
    this.#ended = new Promise((resolve) => {
      child.once('error', (error) => resolve(error.message))
      child.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`))
    })
  }

  /**
   * Resolves when it has said something: only then does it handle signals.
   *
   * @throws Error when it ends before
   */
  async started(): Promise<void> {
    const spoke = new Promise<'spoke'>((resolve) => {
      for (const stream of [this.#child.stdout, this.#child.stderr])
        stream?.once('data', () => resolve('spoke'))
    })
    const first = await Promise.race([spoke, this.#ended])
    if (first !== 'spoke') throw new Error(`litestream replicate: ${first}\n${this.#output}`)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** What it has printed so far. */
  get output(): string {
    return this.#output
  }

  /** Ends it as an operator does (SIGINT): it syncs what is left first. */
  async stop(): Promise<void> {
    this.#child.kill('SIGINT')
    const end = await this.#ended
    if (end !== 'exit code 0') throw new Error(`litestream replicate: ${end}\n${this.#output}`)
  }

  /** Ends it at once. */
  async kill(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#ended
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

/** The real `litestream` program. */
export class LitestreamCLI {
  readonly name = 'litestream-cli'
  /** Path of the program. */
  readonly program: string

  constructor(program: string) {
    this.program = program
  }

  /**
   * Restores a replica into `output`, which must not exist.
   *
   * @throws Error with what the peer printed
   */
  async restore(replicaUrl: string, output: string, options: CLIRestoreOptions = {}): Promise<void> {
    const { txid, timestamp, integrityCheck = 'full', timeoutMs = 60_000 } = options
    const args = ['restore', '-integrity-check', integrityCheck, '-o', output]
    if (txid !== undefined) args.push('-txid', txid)
    if (timestamp !== undefined) args.push('-timestamp', timestamp.toISOString())
    await runProgram(this.program, [...args, replicaUrl], { env: litestreamEnvironment(), timeoutMs })
  }

  /** Brings a replica up to date with its database and ends. */
  async replicateOnce(
    database: string,
    replicaUrl: string,
    options: { readonly timeoutMs?: number } = {},
  ): Promise<void> {
    await runProgram(this.program, ['replicate', '-once', database, replicaUrl], {
      ...options,
      env: litestreamEnvironment(),
    })
  }

  /** Starts replicating a database. */
  async replicate(database: string, replicaUrl: string): Promise<LitestreamReplication> {
    return this.#start([database, replicaUrl])
  }

  /** Starts replicating what a configuration file says. */
  async replicateConfigured(config: string): Promise<LitestreamReplication> {
    return this.#start(['-config', config])
  }

  async #start(args: readonly string[]): Promise<LitestreamReplication> {
    const child = spawn(this.program, ['replicate', ...args], { env: litestreamEnvironment(), stdio: 'pipe' })
    const replication = new LitestreamReplication(child)
    await replication.started()
    return replication
  }
}
