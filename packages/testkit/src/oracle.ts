import { createHash } from 'node:crypto'
import { existsSync, rmSync } from 'node:fs'
import Database from 'better-sqlite3'
import { lastCommit } from './commit-log.ts'

/** A restored database that is not what was committed. `message` lists what is wrong. */
export class OracleError extends Error {
  override readonly name = 'OracleError'
  readonly problems: readonly string[]

  constructor(path: string, problems: readonly string[]) {
    super(`${path} is not a true copy:\n- ${problems.join('\n- ')}`)
    this.problems = problems
  }
}

/** A restored database that passed. */
export interface PrefixReport {
  /** Number of the last transaction in it. */
  readonly rows: number
  /** Number of the last commit that was acknowledged to the application. */
  readonly committed: number
}

/** What {@link checkPrefix} expects. */
export interface PrefixOptions {
  /** At least this many transactions: what was reported as durable. Default 0. */
  readonly atLeast?: number
  /** Numbers that may be in the database without being acknowledged yet, for each commit log. Default 1. */
  readonly inFlight?: number
}

/**
 * Proves that a restored database is a state its application really had: it opens, `integrity_check` and
 * `foreign_key_check` find nothing, and table `log` (see WriterProcess) holds exactly the transactions 1 to m,
 * each with the right payload, where m is at least what was durable and at most what was committed. Leaves no file behind.
 *
 * @param commitLogs one for each writer of the database
 * @throws OracleError with everything that is wrong
 */
export function checkPrefix(
  restored: string,
  commitLogs: string | readonly string[],
  options: PrefixOptions = {},
): PrefixReport {
  const logs = typeof commitLogs === 'string' ? [commitLogs] : commitLogs
  const { atLeast = 0, inFlight = 1 } = options
  const committed = Math.max(...logs.map(lastCommit))
  const problems: string[] = []
  let rows = 0
  if (!existsSync(restored)) throw new OracleError(restored, ['it does not exist'])
  const sidecars = ['-wal', '-shm']
    .map((suffix) => `${restored}${suffix}`)
    .filter((path) => !existsSync(path))
  try {
    const db = new Database(restored, { readonly: true })
    try {
      problems.push(...findDamage(db))
      rows = checkRows(db, problems)
    } finally {
      db.close()
    }
  } catch (error) {
    problems.push(`it cannot be read: ${(error as Error).message}`)
  } finally {
    for (const path of sidecars) rmSync(path, { force: true })
  }
  if (rows < atLeast) problems.push(`it ends at transaction ${rows}, although ${atLeast} was durable`)
  const most = committed + inFlight * logs.length
  if (rows > most) problems.push(`it ends at transaction ${rows}, although only ${committed} were committed`)
  if (problems.length > 0) throw new OracleError(restored, problems)
  return { rows, committed }
}

function findDamage(db: Database.Database): string[] {
  const found = (db.pragma('integrity_check') as { integrity_check: string }[]).map(
    (row) => row.integrity_check,
  )
  const problems = found[0] === 'ok' ? [] : found.map((line) => `integrity_check: ${line}`)
  const foreign = db.pragma('foreign_key_check') as unknown[]
  if (foreign.length > 0) problems.push(`foreign_key_check: ${foreign.length} rows`)
  return problems
}

/** Returns the last number; adds the first hole, the wrong payloads and a missing table to `problems`. */
function checkRows(db: Database.Database, problems: string[]): number {
  const present = db.prepare("SELECT count(*) FROM sqlite_schema WHERE name = 'log'").pluck().get()
  // The writer creates the table in a transaction before the first numbered one.
  if (present === 0) return 0
  let expected = 1
  let wrong = 0
  type Row = { n: number; payload: Uint8Array; sha256: Uint8Array }
  const read = db.prepare<[], Row>('SELECT n, payload, sha256 FROM log ORDER BY n')
  for (const { n, payload, sha256 } of read.iterate()) {
    if (n !== expected) problems.push(`after transaction ${expected - 1} comes ${n}`)
    if (!createHash('sha256').update(payload).digest().equals(sha256)) {
      if (++wrong <= 5) problems.push(`payload of transaction ${n} does not have its sha256`)
    }
    expected = n + 1
  }
  return expected - 1
}
