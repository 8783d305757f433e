import { CLIError } from '../cli-error.ts'
import { EXIT } from '../exit-codes.ts'
import type { RunNews } from '../output/run-events.ts'
import { Application } from './application.ts'
import type { ApplicationEnd } from './outcome.ts'
import { BEGIN, FORWARDED, type ForwardedSignal, type RunAction, type RunEvent, stepRun } from './plan-run.ts'
import { isInForeground } from './terminal.ts'

/** What supervising works with. */
export interface SupervisionContext {
  /** How long an application that was told to end may take for that. */
  readonly stopTimeoutMs: number
  readonly news: (news: RunNews) => void
}

/** Signals that a terminal sends to everything that runs in it. */
const OF_TERMINAL: ReadonlySet<ForwardedSignal> = new Set(['SIGINT', 'SIGQUIT', 'SIGHUP'])

/** Runs an application, hands signals on to it, and ends it when it may not go on. Decisions are those of `stepRun`. */
export class Supervision implements Disposable {
  readonly #c: SupervisionContext
  readonly #preparing = new AbortController()
  #state = BEGIN
  #application: Application | undefined
  #program = ''
  #refusal: Error | undefined
  #lastSignal: ForwardedSignal | undefined
  #timer: NodeJS.Timeout | undefined
  readonly #listener = (signal: NodeJS.Signals): void => this.#receive(signal as ForwardedSignal)

  constructor(context: SupervisionContext) {
    this.#c = context
    for (const signal of FORWARDED) process.on(signal, this.#listener)
  }

  /** Aborts when no application is to be started. */
  get preparing(): AbortSignal {
    return this.#preparing.signal
  }

  /** Why the application was told to end. */
  get refusal(): Error | undefined {
    return this.#refusal
  }

  /** A database may not be written from here any more. */
  readonly refuse = (why: Error): void => {
    if (this.#state.phase === 'draining') return
    this.#refusal ??= why
    this.#feed({ type: 'refused' })
  }

  /** Starts the application. @throws why it is not to be started, or cannot be */
  async start(command: readonly string[]): Promise<void> {
    this.preparing.throwIfAborted()
    this.#application = await Application.start(command)
    this.#program = command[0] ?? ''
    this.#c.news({ type: 'started', program: this.#program, pid: this.#application.pid })
    this.#feed({ type: 'started' })
  }

  /** How the application ended. */
  async ended(): Promise<ApplicationEnd> {
    const application = this.#application
    if (application === undefined) throw new TypeError('nothing was started')
    const end = await application.ended
    clearTimeout(this.#timer)
    this.#feed({ type: 'ended' })
    this.#c.news({ type: 'ended', program: this.#program, end })
    return end
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    for (const signal of FORWARDED) process.off(signal, this.#listener)
  }

  #receive(signal: ForwardedSignal): void {
    const reached = OF_TERMINAL.has(signal) && this.#application !== undefined && isInForeground()
    this.#lastSignal = signal
    this.#feed({ type: 'signal', signal, reached })
  }

  #feed(event: RunEvent): void {
    const { state, actions } = stepRun(this.#state, event)
    this.#state = state
    for (const action of actions) this.#perform(action)
  }

  #perform(action: RunAction): void {
    switch (action.do) {
      case 'abandon':
        this.#preparing.abort(this.#refusal ?? new CLIError('interrupted', `stopped by ${this.#lastSignal}`))
        break
      case 'forward':
        this.#application?.kill(action.signal)
        break
      case 'terminate':
        if (this.#refusal) this.#c.news({ type: 'stopping', program: this.#program, why: this.#refusal })
        this.#application?.kill('SIGTERM')
        this.#timer = setTimeout(() => this.#feed({ type: 'late' }), this.#c.stopTimeoutMs)
        break
      case 'kill':
        this.#c.news({ type: 'killed', program: this.#program })
        this.#application?.kill('SIGKILL')
        break
      case 'exit':
        process.exit(EXIT.interrupted)
    }
  }
}
