import type { Attachment } from './attachment.ts'
import { isPrimaryError, wrapFileError } from './errors.ts'
import type { FailpointHook } from './failpoint.ts'
import type { Lifecycle } from './lifecycle.ts'
import type { Rebuild } from './rebuild.ts'
import type { Continuation } from './rest.ts'
import type { StartDecision } from './start.ts'
import type { CaptureState } from './state/capture-state.ts'
import { type Owed, writeOwed } from './state/owed.ts'
import type { Uploader } from './upload.ts'

/** What going on works with. */
export interface ResumptionContext {
  readonly lifecycle: Lifecycle
  readonly captureState: CaptureState
  readonly rebuild: Rebuild
  readonly uploader: () => Uploader
  readonly attachment: () => Attachment
  /** Captures everything visible. */
  readonly capture: () => Promise<void>
  /** Where what is owed is noted, and who is told. */
  readonly path: string
  readonly onOwed: (owed: Owed) => void
  readonly failpoint?: FailpointHook | undefined
}

/** Carries out what was decided at the start, and after captures were given up. Inside `serial`. */
export class Resumption {
  readonly #c: ResumptionContext

  constructor(context: ResumptionContext) {
    this.#c = context
  }

  /** At the start, with the holder in its place. */
  async begin({ decision, signature }: Continuation): Promise<void> {
    const { lifecycle, rebuild, captureState, capture } = this.#c
    if (decision.kind === 'snapshot' || decision.kind === 'owing') return this.goOn(decision)
    for (const file of decision.pending) this.#c.uploader().enqueue({ kind: 'file', file })
    const attachment = this.#c.attachment()
    if (decision.kind === 'adopted') {
      lifecycle.transition('proven')
    } else if (attachment.capture.continues(signature)) {
      lifecycle.transition('proven')
      try {
        if (attachment.capture.isBehind()) await captureState.prepare()
        await capture()
        // The WAL may be all copied: then the first write restarts it, which is only expected after this.
        await attachment.holder.move(capture)
      } catch (error) {
        if (!isPrimaryError(error, 'wal-discontinuous')) throw error
        await rebuild.resync(error.message)
      }
    } else {
      await rebuild.resync('the WAL does not continue the last captured frame')
    }
    lifecycle.transition('caught-up')
  }

  /** After a time in which nothing was captured and the WAL was free. */
  async goOn(decision: StartDecision): Promise<void> {
    const { lifecycle, rebuild, captureState, path, failpoint } = this.#c
    if (decision.kind === 'snapshot') return rebuild.snapshot(decision.reason, decision.txid)
    this.#c.uploader().found(decision.head)
    rebuild.connected()
    if (decision.kind === 'owing') {
      const { spool } = captureState
      // They cannot be uploaded: what is before them was given up.
      const left = spool.list()
      await rebuild.makeGood(decision.owed, decision.base, (owed) => {
        try {
          writeOwed(path, owed, failpoint)
        } catch (error) {
          throw wrapFileError(error, path)
        }
        this.#c.onOwed(owed)
      })
      for (const file of left) spool.remove(file)
    } else {
      for (const file of decision.pending) this.#c.uploader().enqueue({ kind: 'file', file })
      await rebuild.resync('nothing was captured for want of disk space')
    }
    lifecycle.transition('caught-up')
  }
}
