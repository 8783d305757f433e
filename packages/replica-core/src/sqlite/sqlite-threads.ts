import { BarrierThread } from './barrier-thread.ts'
import { Checkpointer } from './checkpointer.ts'

/** The threads in which SQLite may block. Databases of one process share them; each starts when it is needed. */
export class SQLiteThreads {
  readonly checkpointer: Checkpointer = new Checkpointer()
  readonly barrier: BarrierThread = new BarrierThread()

  /** Ends them. Every database must have been released. */
  async end(): Promise<void> {
    await Promise.all([this.checkpointer.end(), this.barrier.end()])
  }
}
