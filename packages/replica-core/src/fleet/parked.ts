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
export interface Parked {
  readonly pos: Pos
  readonly signature: FileSignature
  readonly wal: FileSignature
  /** When its maintenance is to be looked at, ms since 1970; infinite when there is nothing to do before something new comes. */
  readonly dueAt: number
  /** Whether its maintenance has something to do; if not, `dueAt` moves on. Reads the record again, asks nobody. */
  isDue(now: number): Promise<boolean>
}

/** Reads how a database was left. Undefined when it has to be opened to know. */
export async function park(options: PrimaryOptions, seen: SeenFiles): Promise<Parked | undefined> {
  const { database, stateDir, replicaName, replica, maintenance = {}, now = Date.now } = options
  if (replicaName === undefined) return undefined
  const folder = stateFolder(database, stateDir)
  const record = await readRestRecord(folder, replica.layout)
  if (record === undefined || !stillRests(record, seen, options)) return undefined
  const { pos, signature, wal, walEnd } = record
  if (!isWALAsLeft(database, wal, walEnd)) return undefined
  let looking = false
  const parked = {
    pos,
    signature,
    wal,
    dueAt: dueOf(record, now(), options) + Math.random() * SPREAD_MS,
    async isDue(at: number): Promise<boolean> {
      if (looking || maintenance === 'never') return false
      looking = true
      try {
        const known = (await readRestRecord(folder, replica.layout))?.known
        // It is gone: whoever opens the database sees to the rest.
        if (known === undefined) return true
        const { isDue, nextAt } = planDormant(known, at, maintenance)
        parked.dueAt = Math.max(nextAt, at) + Math.random() * SPREAD_MS
        return isDue
      } finally {
        looking = false
      }
    },
  }
  return parked
}

function dueOf({ known }: RestRecord, now: number, { maintenance = {} }: PrimaryOptions): number {
  if (known === undefined || maintenance === 'never') return Number.POSITIVE_INFINITY
  const { dueAt = Number.POSITIVE_INFINITY } = known
  const { verification = 'never' } = maintenance
  if (verification === 'never' || known.verifyAt === 'never') return Math.max(now, dueAt)
  return Math.max(now, Math.min(dueAt, known.verifyAt ?? now))
}
