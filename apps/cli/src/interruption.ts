import { CLIError } from './cli-error.ts'
import { EXIT } from './exit-codes.ts'

/**
 * SIGINT and SIGTERM as an AbortSignal. The first one asks the command to end in good order, the
 * second one ends the process at once; every write is crash-safe, so that loses no data.
 */
export class Interruption {
  readonly #controller = new AbortController()
  readonly #listener = (name: NodeJS.Signals): void => this.#receive(name)

  get signal(): AbortSignal {
    return this.#controller.signal
  }

  start(): void {
    process.on('SIGINT', this.#listener)
    process.on('SIGTERM', this.#listener)
  }

  stop(): void {
    process.off('SIGINT', this.#listener)
    process.off('SIGTERM', this.#listener)
  }

  #receive(name: NodeJS.Signals): void {
    if (this.signal.aborted) process.exit(EXIT.interrupted)
    this.#controller.abort(new CLIError('interrupted', `stopped by ${name}`))
  }
}
