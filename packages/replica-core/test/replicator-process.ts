import type { ReplicatorArguments } from './replicator-main.ts'
import { SourceProcess } from './support/source-process.ts'

/** Starts, kills and stops replicator-main.ts. */
export class ReplicatorProcess extends SourceProcess<unknown> {
  constructor(options: ReplicatorArguments) {
    super(new URL('./replicator-main.ts', import.meta.url), options)
  }

  /** Why whole images were taken. */
  get snapshots(): string[] {
    return this.messages.flatMap((message) =>
      typeof message === 'object' && message !== null && 'snapshot' in message
        ? [String(message.snapshot)]
        : [],
    )
  }

  /** Resolves when it is attached, or gone. */
  async ready(): Promise<boolean> {
    if (this.messages.includes('ready')) return true
    return new Promise((resolve) => {
      this.child.on('message', (message) => {
        if (message === 'ready') resolve(true)
      })
      void this.exited.then(() => resolve(false))
    })
  }
}
