import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { FromEngine, ToEngine } from './messages.ts'

// The sources run as they are in tests and as JavaScript once built.
const IS_SOURCE = import.meta.url.endsWith('.ts')
const MAIN = new URL(`../engine/engine-main${IS_SOURCE ? '.ts' : '.js'}`, import.meta.url)
const SOURCE_ARGUMENTS = IS_SOURCE ? ['--conditions=@sqlstream/source'] : []
/** Of what the engine has printed, for the reason of its death. */
const TAIL = 2000

/** How the process is started. */
export interface EngineProcessOptions {
  readonly env: Readonly<Record<string, string | undefined>>
  readonly execArgv: readonly string[]
  readonly onMessage: (message: FromEngine) => void
  /** Called once, when it is gone. */
  readonly onEnd: (reason: string, pid: number | undefined) => void
}

/** One life of the engine. */
export class EngineProcess {
  readonly #child: ChildProcess
  #stderr = ''
  #ended = false

  constructor(options: EngineProcessOptions) {
    this.#child = fork(fileURLToPath(MAIN), [], {
      execArgv: [...SOURCE_ARGUMENTS, ...options.execArgv],
      env: { ...options.env } as NodeJS.ProcessEnv,
      // Nothing of it may appear in the application's output.
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      serialization: 'json',
    })
    const end = (reason: string): void => {
      if (this.#ended) return
      this.#ended = true
      options.onEnd(reason, this.#child.pid)
    }
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-TAIL)
    })
    this.#child.on('message', (message) => options.onMessage(message as FromEngine))
    // Also what cannot be sent or killed, which its end tells better.
    this.#child.on('error', (error) => {
      if (this.#child.pid === undefined) end(`it does not start: ${error.message}`)
    })
    this.#child.once('exit', (code, signal) => {
      const last = this.#stderr.trim().split('\n').at(-1)
      const said = last === undefined || last === '' ? '' : `: ${last}`
      end(`${signal === null ? `exit code ${code}` : `signal ${signal}`}${said}`)
    })
  }

  get pid(): number | undefined {
    return this.#ended ? undefined : this.#child.pid
  }

  /** Whether this process is kept alive by it. */
  keepAlive(keep: boolean): void {
    const handles = [this.#child, this.#child.channel, this.#child.stderr] as unknown[]
    for (const handle of handles) {
      const { ref, unref } = (handle ?? {}) as { ref?: () => void; unref?: () => void }
      if (keep) ref?.call(handle)
      else unref?.call(handle)
    }
  }

  /** What cannot be delivered is lost with the process, whose end is told. */
  send(message: ToEngine): void {
    if (this.#child.connected) this.#child.send(message, () => undefined)
  }

  kill(): void {
    if (!this.#ended) this.#child.kill('SIGKILL')
  }
}
