import { Command } from '@oclif/core'
import { redactText } from '@sqlstream/storage'
import { describeFailure, failureLines } from './failure.ts'
import { Interruption } from './interruption.ts'
import { Progress } from './output/progress.ts'

/** What every command shares: the abort signal, errors, output without credentials. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true
  readonly #interruption = new Interruption()

  /** Aborts at the first SIGINT or SIGTERM. */
  protected get signal(): AbortSignal {
    return this.#interruption.signal
  }

  override log(message = ''): void {
    super.log('%s', redactText(message))
  }

  /** Progress on standard error, when that is a terminal. */
  protected progress(label: string): Progress {
    return new Progress(label, this.jsonEnabled() ? { write: () => undefined } : process.stderr)
  }

  protected override async init(): Promise<void> {
    await super.init()
    this.#interruption.start()
  }

  protected override async catch(error: Error): Promise<void> {
    const { exit, ...rest } = describeFailure(error)
    process.exitCode = exit
    if (this.jsonEnabled()) this.logJson({ error: rest })
    process.stderr.write(failureLines({ exit, ...rest }))
    if (process.env['SQLSTREAM_DEBUG'] !== undefined)
      process.stderr.write(`${redactText(String(error.stack))}\n`)
  }

  protected override async finally(error: Error | undefined): Promise<void> {
    this.#interruption.stop()
    await super.finally(error)
  }
}
