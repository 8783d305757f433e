import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process'
import { once } from 'node:events'
import { litestreamEnvironment } from './litestream-environment.ts'

const MARK = '=== answered ==='

/** How the peer keeps a replica open. */
export interface VFSSessionOptions {
  /** Between two looks for new states, ms. Default: the peer's, 1000. */
  readonly pollIntervalMs?: number
  /** Bytes of pages that the peer keeps. Default: the peer's, 10 MB. */
  readonly cacheBytes?: number
}

/** A shell with the peer's extension loaded, which stays and answers one question after the other. */
export class LitestreamVFSSession implements AsyncDisposable {
  readonly #shell: ChildProcessWithoutNullStreams
  readonly #closed: Promise<unknown>
  #printed = ''
  #failed = ''
  #end: string | undefined
  #wake: (() => void) | undefined

  private constructor(sqlite3: string) {
    this.#shell = spawn(sqlite3, ['-bail', ':memory:'], { env: litestreamEnvironment(), stdio: 'pipe' })
    this.#closed = once(this.#shell, 'close').catch(() => undefined)
    this.#shell.stdout.setEncoding('utf8').on('data', (text: string) => {
      this.#printed += text
      this.#wake?.()
    })
    this.#shell.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#failed += text
    })
    // A shell that has ended is told by its end.
    this.#shell.stdin.on('error', () => undefined)
    this.#shell.on('error', (error) => this.#ended(error.message))
    this.#shell.on('close', (code, signal) => this.#ended(signal ?? `exit code ${code}`))
  }

  /** @throws Error with the message of the shell when the extension cannot be loaded */
  static async start(sqlite3: string, extension: string): Promise<LitestreamVFSSession> {
    const session = new LitestreamVFSSession(sqlite3)
    await session.ask([`.load ${extension}`])
    return session
  }

  /** Opens a replica, such as `s3://bucket/app?endpoint=http://127.0.0.1:9000`; the peer may put off what that takes until it is asked something. */
  async open(replicaUrl: string, { pollIntervalMs, cacheBytes }: VFSSessionOptions = {}): Promise<void> {
    const query = new URLSearchParams({ vfs: 'litestream', replica_url: replicaUrl })
    if (pollIntervalMs !== undefined) query.set('poll_interval', `${pollIntervalMs}ms`)
    if (cacheBytes !== undefined) query.set('cache_size', String(cacheBytes))
    await this.ask([`.open file:replica.db?${query}`])
  }

  /**
   * Runs statements or dot commands and returns what was printed.
   *
   * @throws Error with the message of the peer, after which the session has ended
   */
  async ask(statements: readonly string[]): Promise<string> {
    this.#printed = ''
    this.#shell.stdin.write(`${[...statements, `.print ${MARK}`].join('\n')}\n`)
    for (;;) {
      const at = this.#printed.indexOf(`${MARK}\n`)
      if (at >= 0) return this.#printed.slice(0, at)
      if (this.#end !== undefined)
        throw new Error(`${statements.join(' ')}: ${this.#end}\n${this.#failed}${this.#printed}`.trimEnd())
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#shell.kill('SIGKILL')
    await this.#closed
  }

  #ended(how: string): void {
    this.#end ??= how
    this.#wake?.()
  }
}
