import { type ChildProcess, fork } from 'node:child_process'
import { fileURLToPath } from 'node:url'

/**
 * A program of this folder in a process of its own. It gets one JSON argument, talks in messages, and ends
 * with its parent because its channel closes.
 */
export class Child<Reply> implements AsyncDisposable {
  readonly #process: ChildProcess
  readonly #name: string
  readonly #replies: Reply[] = []
  readonly #ended: Promise<void>
  #end: string | undefined
  #wake: (() => void) | undefined

  constructor(name: string, argument: unknown) {
    this.#name = name
    this.#process = fork(
      fileURLToPath(new URL(`./${name}.ts`, import.meta.url)),
      [JSON.stringify(argument)],
      {
        serialization: 'advanced',
      },
    )
    this.#process.on('message', (message) => {
      this.#replies.push(message as Reply)
      this.#wake?.()
    })
    this.#ended = new Promise((resolve) => {
      this.#process.once('close', (code, signal) => {
        this.#end = signal ?? `exit code ${code}`
        this.#wake?.()
        resolve()
      })
    })
  }

  get pid(): number {
    return this.#process.pid ?? 0
  }

  send(message: object): void {
    this.#process.send(message)
  }

  /** The next message. @throws Error when the process ends before it */
  async receive(): Promise<Reply> {
    for (;;) {
      const reply = this.#replies.shift()
      if (reply !== undefined) return reply
      if (this.#end !== undefined) throw new Error(`${this.#name} ended: ${this.#end}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
      })
    }
  }

  /** Sends a message and waits for the next one that comes back. */
  ask(message: object): Promise<Reply> {
    this.send(message)
    return this.receive()
  }

  /** Waits until it has ended by itself. @throws Error when it did not end well */
  async ended(): Promise<void> {
    await this.#ended
    if (this.#end !== 'exit code 0') throw new Error(`${this.#name} ended: ${this.#end}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#process.kill('SIGKILL')
    await this.#ended
  }
}
