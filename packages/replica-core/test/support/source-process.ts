import { type ChildProcess, spawn } from 'node:child_process'

/** How a process ended. */
export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

/** A script of the tests in a process of its own, on the sources of the workspace. It gets its options as one JSON argument. */
export class SourceProcess<Message> {
  protected readonly child: ChildProcess
  readonly messages: Message[] = []
  readonly exited: Promise<Exit>
  stderr = ''

  constructor(script: URL, options: object) {
    const node = ['--conditions=@sqlstream/source', script.pathname, JSON.stringify(options)]
    this.child = spawn(process.execPath, node, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
    this.child.on('message', (message) => this.messages.push(message as Message))
    this.child.stderr?.on('data', (data) => {
      this.stderr += data
    })
    this.exited = new Promise((resolve) => {
      this.child.once('close', (code, signal) => resolve({ code, signal }))
    })
  }

  get gone(): boolean {
    return this.child.exitCode !== null || this.child.signalCode !== null
  }

  get pid(): number {
    return this.child.pid!
  }

  kill(signal: NodeJS.Signals = 'SIGKILL'): void {
    this.child.kill(signal)
  }

  /** Lets it upload what is left. @throws Error when it did not end well */
  async stop(): Promise<void> {
    this.child.send('stop', () => undefined)
    const { code, signal } = await this.exited
    if (code !== 0) throw new Error(`it ended with ${code ?? signal}: ${this.stderr}`)
  }
}
