import type { PageSize } from '@sqlstream/ltx'
import type { Attachment } from './attachment.ts'
import { isPrimaryError, PrimaryError } from './errors.ts'
import type { PrimaryListener } from './events.ts'
import type { Rebuild } from './rebuild.ts'
import { refuseHalfSet } from './sqlite/database-files.ts'

/** What recovery works with. */
export interface RecoveryContext {
  readonly database: string
  readonly emit: PrimaryListener
  readonly rebuild: Rebuild
  readonly attachment: () => Attachment | undefined
  readonly attach: () => Attachment
  readonly detach: () => Promise<void>
  /** Of the last captured position. */
  readonly pageSize: () => PageSize
}

/** What is done when a capture meets a doubt: compare, start anew, open the files again. Inside `serial`. */
export class Recovery {
  readonly #c: RecoveryContext

  constructor(context: RecoveryContext) {
    this.#c = context
  }

  /** Resolves what made a capture fail. @throws `error` itself where it is no doubt, and what the answer to it throws */
  async recover(error: Error): Promise<void> {
    const { rebuild, attach, detach } = this.#c
    if (isPrimaryError(error, 'wal-discontinuous')) {
      await rebuild.resync(error.message)
    } else if (isPrimaryError(error, 'page-size-changed')) {
      await detach()
      attach()
      await rebuild.snapshot('page-size-changed')
    } else {
      throw error
    }
  }

  /** Opens the files again where they are not those that were opened, after captures were given up: no lock is held. */
  async reopen(): Promise<void> {
    const before = this.#c.attachment()
    if (before !== undefined && before.files.replaced() === undefined) return
    await this.#c.detach()
    refuseHalfSet(this.#c.database)
    const { holder, cycle } = this.#c.attach()
    holder.release()
    cycle.stop()
  }

  /** Another file behind the path, or a deleted WAL: everything is opened anew and compared. @throws PrimaryError */
  async reattachIfReplaced(): Promise<void> {
    const { database, emit, rebuild, attach, detach } = this.#c
    const before = this.#c.attachment()
    const replaced = before === undefined ? 'database' : before.files.replaced()
    if (replaced === undefined) return
    if (rebuild.pinned) {
      throw new PrimaryError('database-replaced', `the ${replaced} file was replaced during a snapshot`)
    }
    if (before !== undefined) {
      emit({
        type: 'warning',
        code: 'files-replaced',
        message: `the ${replaced} file of ${database} is not the one that was opened`,
      })
    }
    await detach()
    refuseHalfSet(database)
    const attachment = attach()
    if (attachment.pageSize !== this.#c.pageSize()) await rebuild.snapshot('page-size-changed')
    else await rebuild.resync(`the ${replaced} file was replaced`)
  }
}
