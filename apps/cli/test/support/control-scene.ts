import { request } from 'node:http'
import { TempFolder } from '@sqlstream/testkit'
import { App } from './app.ts'
import { type CLIProcess, type CLIResult, runCLI, startCLI } from './run-cli.ts'

/** A folder with databases of applications, in which processes of one user listen. */
export class ControlScene implements AsyncDisposable {
  readonly folder = new TempFolder('ctl')
  /** More variables for its processes. */
  readonly env: Record<string, string> = {}
  readonly #apps: App[] = []
  readonly #processes: CLIProcess[] = []

  /** A database with so many rows. */
  database(name: string, rows = 3): App {
    const app = new App(this.folder.join(name))
    this.#apps.push(app)
    app.commit(rows)
    return app
  }

  /** Runs a command to its end. */
  run(...args: readonly string[]): Promise<CLIResult> {
    return runCLI(args, this.options)
  }

  /** Runs a command that must succeed; what it says with --json. */
  async json(...args: readonly string[]): Promise<Record<string, unknown>> {
    const result = await this.run(...args, '--json')
    if (result.status !== 0) throw new Error(`exit ${result.status}\n${result.stdout}${result.stderr}`)
    return JSON.parse(result.stdout) as Record<string, unknown>
  }

  start(...args: readonly string[]): CLIProcess {
    const started = startCLI(args, this.options)
    this.#processes.push(started)
    return started
  }

  /** `replicate` with these words, once its databases are open. */
  async replicate(...args: readonly string[]): Promise<CLIProcess> {
    const cli = this.start('replicate', '--json', '--sync-interval', '20ms', ...args)
    await cli.line(/"to":"idle"|"type":"watching"/)
    return cli
  }

  get options(): { cwd: string; env: Record<string, string> } {
    return { cwd: this.folder.path, env: { XDG_RUNTIME_DIR: this.folder.join('run'), ...this.env } }
  }

  /** The path of a socket in the folder. */
  get socket(): string {
    return this.folder.join('s.sock')
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { child, result } of this.#processes) {
      child.kill('SIGKILL')
      await result
    }
    for (const app of this.#apps) app[Symbol.dispose]()
    this.folder.remove()
  }
}

export interface Answer {
  readonly status: number
  readonly type: string
  readonly text: string
}

/** Asks over HTTP, at a Unix socket or a port of this machine. */
export function ask(
  at: { readonly socketPath: string } | { readonly port: number },
  method: string,
  path: string,
  body?: string,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const call = request({ ...at, method, path, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8').on('data', (part: string) => {
        text += part
      })
      response.once('end', () =>
        resolve({ status: response.statusCode ?? 0, type: response.headers['content-type'] ?? '', text }),
      )
    })
    call.once('error', reject)
    call.end(body)
  })
}
