import { Command, Flags, type Interfaces } from '@oclif/core'
import { redactText } from '@sqlstream/storage'
import type { ConfigFileResult } from './config/read-config.ts'
import { Drivers } from './drivers.ts'
import { describeFailure, failureLines } from './failure.ts'
import { Interruption } from './interruption.ts'
import { Progress } from './output/progress.ts'

/** What every command shares: the abort signal, errors, output without credentials. */
export abstract class BaseCommand extends Command {
  static override enableJsonFlag = true
  static override baseFlags = {
    config: Flags.string({
      env: 'SQLSTREAM_CONFIG',
      description: 'configuration file, default ./sqlstream.yml, then /etc/sqlstream.yml',
      helpGroup: 'GLOBAL',
    }),
  }
  readonly #interruption = new Interruption()
  #configFile: string | undefined
  #drivers: Drivers | undefined

  /** The built-in storage drivers, and those that the configuration names, which is read when a URL needs it. */
  protected get drivers(): Drivers {
    this.#drivers ??= new Drivers(async () => {
      const { namedDrivers } = await import('./config/named-drivers.ts')
      return namedDrivers(this.#configFile)
    })
    return this.#drivers
  }

  /** Takes the drivers of a configuration that was read already. */
  protected useDriversOf(result: ConfigFileResult): Drivers {
    this.#drivers = new Drivers(async () => (await import('./config/named-drivers.ts')).driversOf(result))
    return this.#drivers
  }

  /** The file of `--config` or of SQLSTREAM_CONFIG. */
  protected get configFile(): string | undefined {
    return this.#configFile
  }

  /** Aborts at the first SIGINT or SIGTERM. */
  protected get signal(): AbortSignal {
    return this.#interruption.signal
  }

  /** From now on signals are the command's own affair. */
  protected takeSignals(): void {
    this.#interruption.stop()
  }

  override log(message = ''): void {
    super.log('%s', redactText(message))
  }

  /** Progress on standard error, when that is a terminal. */
  protected progress(label: string): Progress {
    return new Progress(label, this.jsonEnabled() ? { write: () => undefined } : process.stderr)
  }

  protected override async parse<
    F extends Interfaces.OutputFlags<F>,
    B extends Interfaces.OutputFlags<B>,
    A extends Interfaces.OutputArgs<A>,
  >(options?: Interfaces.Input<F, B, A>, argv?: string[]): Promise<Interfaces.ParserOutput<F, B, A>> {
    const output = await super.parse<F, B, A>(options, argv)
    const { config } = output.flags as { config?: string }
    this.#configFile = config
    return output
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
