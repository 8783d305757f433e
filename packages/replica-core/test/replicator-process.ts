import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { ReplicatorArguments } from './replicator-main.ts'

/** Starts, kills and stops replicator-main.ts. */
export class ReplicatorProcess {
  readonly #child: ChildProcess
  readonly messages: unknown[] = []
  readonly exited: Promise<{ code: number | null; signal: NodeJS.Signals | null }>
  #stderr = ''

  constructor(options: ReplicatorArguments) {
    const script = fileURLToPath(new URL('./replicator-main.ts', import.meta.url))
    const node = ['--conditions=@sqlstream/source', script, JSON.stringify(options)]
    this.#child = spawn(process.execPath, node, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
    this.#child.on('message', (message) => this.messages.push(message))
    this.#child.stderr?.on('data', (data) => {
      this.#stderr += data
    })
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => resolve({ code, signal }))
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Why whole images were taken. */
  get snapshots(): string[] {
    return this.messages.flatMap((message) =>
      typeof message === 'object' && message !== null && 'snapshot' in message
        ? [String(message.snapshot)]
        : [],
    )
  }

  get stderr(): string {
    return this.#stderr
  }

  /** Resolves when it is attached, or gone. */
  async ready(): Promise<boolean> {
    if (this.messages.includes('ready')) return true
    return new Promise((resolve) => {
      this.#child.on('message', (message) => {
        if (message === 'ready') resolve(true)
      })
      void this.exited.then(() => resolve(false))
    })
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.#child.kill(signal)
  }

  /** Lets it upload what is left. @throws Error when it did not end well */
  async stop(): Promise<void> {
    this.#child.send('stop', () => undefined)
    const { code, signal } = await this.exited
    if (code !== 0) throw new Error(`replicator ended with ${code ?? signal}: ${this.#stderr}`)
  }
}
