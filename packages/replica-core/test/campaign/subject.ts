import { SourceProcess } from '../support/source-process.ts'
import type { Order, Reached, Refusal, Report, SubjectArguments } from './subject-main.ts'

/** Starts, commands, kills and stops subject-main.ts. */
export class Subject extends SourceProcess<Refusal | Reached | Report | 'ready'> {
  /** How it ended; undefined while it runs. */
  ended: NodeJS.Signals | number | null | undefined

  constructor(options: SubjectArguments) {
    super(new URL('./subject-main.ts', import.meta.url), options)
    // Orders to a process that has just died.
    this.child.on('error', () => undefined)
    void this.exited.then(({ code, signal }) => {
      this.ended = signal ?? code
    })
  }

  get refusals(): Refusal[] {
    return this.messages.filter(
      (message): message is Refusal => typeof message === 'object' && 'refused' in message,
    )
  }

  /** Whether it has taken up a database and made durable what it found there. */
  hasReached(name: string): boolean {
    return this.messages.some(
      (message) => typeof message === 'object' && 'durable' in message && message.durable === name,
    )
  }

  /** What failed and was tried again, and what was done about it. */
  get reports(): Report[] {
    return this.messages.filter(
      (message): message is Report => typeof message === 'object' && 'event' in message,
    )
  }

  /** SIGKILL, or what has ended it before. */
  async killed(): Promise<void> {
    this.kill()
    await this.exited
  }

  /** In order, or as it ended before. */
  async stopped(): Promise<void> {
    this.order('stop')
    await this.exited
  }

  order(order: Order | 'stop'): void {
    if (this.child.connected) this.child.send(order, () => undefined)
  }
}
