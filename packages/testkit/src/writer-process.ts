import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { scriptArguments } from './child-script.ts'
import { lastCommit } from './commit-log.ts'
import type { WriterOptions, WriterReport } from './writer-options.ts'

/** How a writer process ended. */
export interface WriterExit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  readonly stderr: string
  /** Only after an orderly end. */
  readonly report?: WriterReport
}

/**
 * An application in a process of its own that writes to a database as fast or as nastily as asked. Each of
 * its transactions adds the next number to table `log(n, payload, sha256)`, and after the commit a line
 * to the commit log; see `checkPrefix`. Starting another one on the same database goes on with
 * the next number. The process ends with its parent, whatever happens to it.
 */
export class WriterProcess implements AsyncDisposable {
  readonly options: WriterOptions
  /** Settles when the process is gone. Never rejects. */
  readonly exited: Promise<WriterExit>
  readonly #child: ChildProcess
  #exit: WriterExit | undefined

  private constructor(options: WriterOptions, child: ChildProcess) {
    this.options = options
    this.#child = child
    this.exited = new Promise((resolve) => {
      let stderr = ''
      let report: WriterReport | undefined
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        stderr += text
      })
      child.on('message', (message) => {
        report = message as WriterReport
      })
      child.once('close', (code, signal) => {
        this.#exit = { code, signal, stderr, ...(report && { report }) }
        resolve(this.#exit)
      })
    })
  }

  /**
   * Starts the process and waits until it has written.
   *
   * @param options `ready: 'spawned'` does not wait for the first commit
   * @throws Error when the process ends before
   */
  static async start(
    options: WriterOptions & { readonly ready?: 'spawned' | 'committed' },
  ): Promise<WriterProcess> {
    const { ready = 'committed', ...writing } = options
    const before = lastCommit(options.commitLog)
    const child = spawn(
      process.execPath,
      [...scriptArguments(new URL('./writer-main.ts', import.meta.url)), JSON.stringify(writing)],
      {
        stdio: ['ignore', 'inherit', 'pipe', 'ipc'],
      },
    )
    const writer = new WriterProcess(writing, child)
    if (ready === 'committed') await writer.waitForCommits(before + 1)
    return writer
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Number of the last commit that was acknowledged to the application, by this or an earlier process. */
  committed(): number {
    return lastCommit(this.options.commitLog)
  }

  /**
   * Waits until commit `n` is acknowledged.
   *
   * @throws Error when the process ends before, or after `timeoutMs` (default 60 s)
   */
  async waitForCommits(
    n: number,
    options: { readonly timeoutMs?: number; readonly signal?: AbortSignal } = {},
  ): Promise<void> {
    const until = performance.now() + (options.timeoutMs ?? 60_000)
    for (;;) {
      // First look whether it has ended, then read: an end after the last commit is fine.
      const exit = this.#exit
      const committed = this.committed()
      if (committed >= n) return
      if (exit)
        throw new Error(`the writer ended (${describeExit(exit)}) at commit ${committed}, before ${n}`)
      if (performance.now() > until)
        throw new Error(`the writer is at commit ${committed}, ${n} was expected`)
      await sleep(3, undefined, options)
    }
  }

  /** Ends the process at once, by default with SIGKILL, and waits until it is gone. */
  async kill(signal: NodeJS.Signals = 'SIGKILL'): Promise<WriterExit> {
    this.#child.kill(signal)
    return this.exited
  }

  /** Stops the process (SIGSTOP): it keeps its locks and does nothing until `resume()`. */
  pause(): void {
    this.#child.kill('SIGSTOP')
  }

  resume(): void {
    this.#child.kill('SIGCONT')
  }

  /**
   * Lets the process finish its transaction and close the database.
   *
   * @throws Error when it did not end well
   */
  async stop(): Promise<WriterReport> {
    if (this.#child.connected) this.#child.send('stop', () => undefined)
    return this.finished()
  }

  /**
   * Waits for the end of a writer with `commits`.
   *
   * @throws Error when it did not end well
   */
  async finished(): Promise<WriterReport> {
    const exit = await this.exited
    if (exit.code !== 0 || !exit.report) throw new Error(`the writer ended badly (${describeExit(exit)})`)
    return exit.report
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.kill()
  }
}

function describeExit({ code, signal, stderr }: WriterExit): string {
  return [signal ?? `exit code ${code}`, stderr.trim()].filter(Boolean).join(': ')
}
