import { type CLIProcess, startCLI } from './run-cli.ts'

/** Runs of the command line that end with a test, whatever they wait for. */
export class Started {
  readonly #running: CLIProcess[] = []

  start(...args: readonly string[]): CLIProcess {
    const started = startCLI(args)
    this.#running.push(started)
    return started
  }

  /** SIGKILL for all that are left; returns when they are gone. */
  async end(): Promise<void> {
    for (const { child, result } of this.#running.splice(0)) {
      child.kill('SIGKILL')
      await result
    }
  }
}
