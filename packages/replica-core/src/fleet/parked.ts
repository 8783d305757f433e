import type { Pos } from '@sqlstream/ltx'
import { planDormant } from '../maintenance/dormant.ts'
import type { PrimaryOptions } from '../options.ts'
import { type SeenFiles, stillRests } from '../rest.ts'
import { isWALAsLeft } from '../sqlite/database-files.ts'
import type { FileSignature } from '../sqlite/file-signature.ts'
import { type RestRecord, readRestRecord } from '../state/rest-record.ts'
import { stateFolder } from '../state/state-folder.ts'

/** Maintenance that has become due while no process ran is spread over so long. */
const SPREAD_MS = 600_000

/** A database that another process has let go, and that nobody has written since: a small record, and nothing else. */
export class Parked {
  readonly pos: Pos
  readonly signature: FileSignature
  readonly wal: FileSignature
  #dueAt: number
  #isLooking = false

  private constructor({ pos, signature, wal }: RestRecord, dueAt: number) {
    this.pos = pos
    this.signature = signature
    this.wal = wal
    this.#dueAt = dueAt
  }

  /** Reads how a database was left. Undefined when it has to be opened to know. */
  static async read(options: PrimaryOptions, seen: SeenFiles): Promise<Parked | undefined> {
    const { database, replicaName, now = Date.now } = options
    if (replicaName === undefined) return undefined
    const record = await recordOf(options)
    if (record === undefined || !stillRests(record, seen, options)) return undefined
    if (!isWALAsLeft(database, record.wal, record.walEnd)) return undefined
    return new Parked(record, dueOf(record, now(), options) + Math.random() * SPREAD_MS)
  }

  /** When its maintenance is to be looked at, ms since 1970; infinite when there is nothing to do before something new comes. */
  get dueAt(): number {
    return this.#dueAt
  }

  /** Whether its maintenance has something to do; if not, `dueAt` moves on. Reads the record again, asks nobody. */
  async isDue(at: number, options: PrimaryOptions): Promise<boolean> {
    const { maintenance = {} } = options
    if (this.#isLooking || maintenance === 'never') return false
    this.#isLooking = true
    try {
      const known = (await recordOf(options))?.known
      // It is gone: whoever opens the database sees to the rest.
      if (known === undefined) return true
      const { isDue, nextAt } = planDormant(known, at, maintenance)
      this.#dueAt = Math.max(nextAt, at) + Math.random() * SPREAD_MS
      return isDue
    } finally {
      this.#isLooking = false
    }
  }
}

function recordOf({ database, stateDir, replica }: PrimaryOptions): Promise<RestRecord | undefined> {
  return readRestRecord(stateFolder(database, stateDir), replica.layout)
}

function dueOf({ known }: RestRecord, now: number, { maintenance = {} }: PrimaryOptions): number {
  if (known === undefined || maintenance === 'never') return Number.POSITIVE_INFINITY
  const { dueAt = Number.POSITIVE_INFINITY } = known
  const { verification = 'never' } = maintenance
  if (verification === 'never' || known.verifyAt === 'never') return Math.max(now, dueAt)
  return Math.max(now, Math.min(dueAt, known.verifyAt ?? now))
}
