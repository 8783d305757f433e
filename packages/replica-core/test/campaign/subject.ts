import { type ChildProcess, spawn } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import type { Order, Refusal, Report, SubjectArguments } from './subject-main.ts'

/** Starts, commands, kills and stops subject-main.ts. */
export class Subject {
  readonly #child: ChildProcess
  readonly refusals: Refusal[] = []
  /** What failed and was tried again, and what was done about it. */
  readonly reports: Report[] = []
  readonly exited: Promise<NodeJS.Signals | number | null>
  /** How it ended; undefined while it runs. */
  ended: NodeJS.Signals | number | null | undefined
  stderr = ''

  constructor(options: SubjectArguments) {
    const script = fileURLToPath(new URL('./subject-main.ts', import.meta.url))
    const node = ['--conditions=@sqlstream/source', script, JSON.stringify(options)]
    this.#child = spawn(process.execPath, node, { stdio: ['ignore', 'inherit', 'pipe', 'ipc'] })
    this.#child.on('message', (message: Refusal | Report | 'ready') => {
      if (typeof message !== 'object') return
      if ('refused' in message) this.refusals.push(message)
      else this.reports.push(message)
    })
    // Orders to a process that has just died.
    this.#child.on('error', () => undefined)
    this.#child.stderr?.on('data', (data) => {
      this.stderr += data
    })
    this.exited = new Promise((resolve) => {
      this.#child.once('close', (code, signal) => {
        this.ended = signal ?? code
        resolve(signal ?? code)
      })
    })
  }

  get pid(): number {
    return this.#child.pid!
  }

  order(order: Order | 'stop'): void {
    if (this.#child.connected) this.#child.send(order, () => undefined)
  }

  signal(signal: NodeJS.Signals): void {
    this.#child.kill(signal)
  }

  /** SIGKILL; returns how it ended, which may have been before. */
  async kill(): Promise<NodeJS.Signals | number | null> {
    this.#child.kill('SIGKILL')
    return this.exited
  }
}
