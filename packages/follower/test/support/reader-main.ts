// A process that reads a copy without any pause, with statements that stay prepared, and watches that what it sees is a whole transaction, never older
// than what it saw before. Arguments: the path. Tells its parent at the end what it saw.
import Database from 'better-sqlite3'

/** What a reader has seen. */
export interface ReaderReport {
  readonly reads: number
  /** How many versions, and the last. */
  readonly versions: number
  readonly last: number
  readonly problems: readonly string[]
}

const path = process.argv[2] as string
const db = new Database(path, { readonly: true, timeout: 20_000 })
const begin = db.prepare('BEGIN')
const commit = db.prepare('COMMIT')
const version = db.prepare('SELECT n FROM version').pluck()
const sum = db.prepare('SELECT sum(balance) FROM account').pluck()
const stamps = db.prepare('SELECT min(stamp), max(stamp), count(*) FROM account').raw()
const log = db.prepare('SELECT max(n), count(*) FROM log WHERE n > ? - 20').raw()
const byIndex = db.prepare('SELECT count(*) FROM log INDEXED BY log_tag WHERE tag = ?').pluck()

const problems: string[] = []
let reads = 0
let versions = 0
let last = 0
let stopping = false

function read(): void {
  begin.run()
  try {
    const n = version.get() as number
    const total = sum.get()
    const [low, high, count] = stamps.get() as [number, number, number]
    const [newest, logged] = log.all(n)[0] as [number, number]
    byIndex.get(n % 7)
    if (total !== 5000 || count !== 50) problems.push(`version ${n}: ${count} accounts with ${total}`)
    if (low !== n || high !== n) problems.push(`version ${n} has accounts of ${low} to ${high}`)
    if (newest !== n || logged !== Math.min(n, 20))
      problems.push(`version ${n} has a log up to ${newest}, ${logged} lines`)
    if (n < last) problems.push(`version ${n} after ${last}`)
    if (n !== last) versions++
    last = n
    if (++reads % 500 === 0) {
      const check = db.pragma('quick_check', { simple: true })
      if (check !== 'ok') problems.push(`version ${n}: ${check}`)
    }
  } catch (error) {
    problems.push(`after version ${last}: ${(error as Error).message}`)
  } finally {
    if (db.inTransaction) commit.run()
  }
}

process.on('message', () => {
  stopping = true
})
// The parent is gone: do not outlive it.
process.on('disconnect', () => process.exit(2))
function loop(): void {
  for (let i = 0; i < 20 && problems.length < 20; i++) read()
  if (stopping || problems.length >= 20) {
    read()
    const report: ReaderReport = { reads, versions, last, problems }
    process.send?.(report, () => process.exit(0))
  } else setImmediate(loop)
}
process.send?.('reading')
loop()
