import { type ChildProcess, fork } from 'node:child_process'
import type { ReaderReport } from './reader-main.ts'

/** Starts and stops reader-main.ts. */
export class ReaderProcess {
  readonly #child: ChildProcess
  #next: Promise<unknown>

  constructor(path: string) {
    const script = new URL('./reader-main.ts', import.meta.url).pathname
    this.#child = fork(script, [path], { execArgv: ['--conditions=@sqlstream/source'] })
    this.#next = this.#message()
  }

  /** Resolves once it reads. */
  async reading(): Promise<void> {
    await this.#next
    this.#next = this.#message()
  }

  /** Lets it read once more and tell what it saw. */
  async stop(): Promise<ReaderReport> {
    this.#child.send('stop')
    return (await this.#next) as ReaderReport
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #message(): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', resolve)
      this.#child.once('exit', (code, signal) => reject(new Error(`the reader ended: ${code ?? signal}`)))
    })
  }
}
