import { createHash } from 'node:crypto'
import { closeSync, fsyncSync, openSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'
import { lastCommit } from './commit-log.ts'
import { Random } from './random.ts'
import { PLAIN_MIX, type WriterMix, type WriterOptions, type WriterReport } from './writer-options.ts'

const LATENCIES = 200_000

/** The application: one connection, numbered transactions, and whatever the mix asks for in between. */
export class HostileWriter {
  commits = 0
  readonly #options: WriterOptions
  readonly #mix: WriterMix
  readonly #random: Random
  readonly #db: Database.Database
  readonly #log: number
  readonly #began = performance.now()
  readonly #latencies = new Float64Array(LATENCIES)
  readonly #statements = new Map<string, Database.Statement>()
  #busy = 0
  #rollbacks = 0
  #vacuums = 0
  #schemaChanges = 0
  #checkpoints = 0
  #checkpointsBusy = 0

  constructor(options: WriterOptions) {
    this.#options = options
    this.#mix = { ...PLAIN_MIX, ...options.mix }
    this.#db = new Database(options.database, { timeout: options.busyTimeoutMs ?? 5000 })
    this.#retry(() => this.#prepareDatabase())
    const last = this.#retry(() => this.#number('SELECT coalesce(max(n), 0) FROM log'))
    const logged = lastCommit(options.commitLog)
    if (last < logged) {
      throw new Error(
        `the database ends at ${last}, although commit ${logged} was acknowledged to the application`,
      )
    }
    this.#random = new Random((options.seed ?? 1) + last)
    this.#log = openSync(options.commitLog, 'a')
    // Killed between the commit and its line: the commit happened, so the line is owed.
    if (last > logged) this.#acknowledge(last)
  }

  /** One numbered transaction and its surroundings. */
  step(): void {
    const random = this.#random
    const mix = this.#mix
    const spill = random.chance(mix.spill)
    if (spill) this.#db.pragma('cache_size=8')
    const began = performance.now()
    const n = this.#retry(() => this.#transaction(spill))
    this.#latencies[this.commits % LATENCIES] = performance.now() - began
    this.#acknowledge(n)
    this.commits++
    if (spill) this.#db.pragma('cache_size=-2000')

    if (random.chance(mix.rollback)) this.#retry(() => this.#rollBack())
    if (random.chance(mix.vacuum)) {
      this.#retry(() => this.#db.exec('VACUUM'))
      this.#vacuums++
    }
    if (random.chance(mix.checkpointPassive)) this.#checkpoint('PASSIVE')
    if (random.chance(mix.checkpointFull)) this.#checkpoint('FULL')
    if (random.chance(mix.checkpointRestart)) this.#checkpoint('RESTART')
    if (random.chance(mix.checkpointTruncate)) this.#checkpoint('TRUNCATE')
  }

  close(): WriterReport {
    const milliseconds = performance.now() - this.#began
    this.#db.close()
    closeSync(this.#log)
    const sorted = this.#latencies.slice(0, Math.min(this.commits, LATENCIES)).sort()
    const at = (part: number): number => sorted[Math.floor((sorted.length - 1) * part)] ?? 0
    return {
      commits: this.commits,
      milliseconds,
      latency: { p50: at(0.5), p90: at(0.9), p99: at(0.99), p999: at(0.999), max: at(1) },
      busy: this.#busy,
      rollbacks: this.#rollbacks,
      vacuums: this.#vacuums,
      schemaChanges: this.#schemaChanges,
      checkpoints: this.#checkpoints,
      checkpointsBusy: this.#checkpointsBusy,
    }
  }

  #prepareDatabase(): void {
    const {
      pageSize = 4096,
      autoVacuum = 'none',
      synchronous = 'NORMAL',
      autoCheckpoint = 1000,
    } = this.#options
    const db = this.#db
    db.pragma(`page_size=${pageSize}`)
    db.pragma(`auto_vacuum=${autoVacuum}`)
    db.pragma('journal_mode=WAL')
    db.pragma(`synchronous=${synchronous}`)
    db.pragma(`wal_autocheckpoint=${autoCheckpoint}`)
    db.exec('BEGIN IMMEDIATE')
    db.exec(
      'CREATE TABLE IF NOT EXISTS log(n INTEGER PRIMARY KEY, payload BLOB NOT NULL, sha256 BLOB NOT NULL)',
    )
    db.exec('CREATE TABLE IF NOT EXISTS side(id INTEGER PRIMARY KEY, name TEXT, amount REAL, body BLOB)')
    db.exec('CREATE INDEX IF NOT EXISTS side_name ON side(name)')
    db.exec('CREATE INDEX IF NOT EXISTS side_amount ON side(amount, name)')
    db.exec('COMMIT')
  }

  #transaction(spill: boolean): number {
    const random = this.#random
    const mix = this.#mix
    this.#run('BEGIN IMMEDIATE')
    // Inside the transaction, so that several writers can share a database.
    const n = 1 + this.#number('SELECT coalesce(max(n), 0) FROM log')
    const length = random.chance(mix.largeRow) ? 20_000 + random.below(180_000) : random.below(400)
    const payload = random.bytes(length)
    const sha256 = createHash('sha256').update(payload).digest()
    this.#run('INSERT INTO log VALUES(?, ?, ?)', n, payload, sha256)
    if (random.chance(mix.insert)) this.#insertSide(1 + random.below(5))
    if (random.chance(mix.update)) {
      const from = random.below(1 + this.#number('SELECT coalesce(max(id), 0) FROM side'))
      this.#run(
        'UPDATE side SET amount = amount + 1, name = ? WHERE id BETWEEN ? AND ?',
        `u${from}`,
        from,
        from + 9,
      )
    }
    if (random.chance(mix.delete)) {
      // From the old end, so that the table stays small whatever the length of the run.
      const keep = this.#number('SELECT coalesce(max(id), 0) FROM side') - 3000
      this.#run('DELETE FROM side WHERE id < ? OR id % 97 = ?', keep, random.below(97))
    }
    if (spill || random.chance(mix.bulk)) this.#insertSide(1000)
    if (random.chance(mix.schema)) this.#changeSchema(n)
    this.#run('COMMIT')
    return n
  }

  #insertSide(rows: number): void {
    const random = this.#random
    for (let i = 0; i < rows; i++) {
      const body = random.bytes(random.below(900))
      this.#run('INSERT INTO side(name, amount, body) VALUES(?, ?, ?)', `n${random.below(1000)}`, i / 8, body)
    }
  }

  #changeSchema(n: number): void {
    const name = `extra${this.#random.below(5)}`
    const present = this.#number(`SELECT count(*) FROM sqlite_schema WHERE name = '${name}'`)
    if (present === 0) {
      this.#db.exec(
        `CREATE TABLE ${name}(a INTEGER PRIMARY KEY, b TEXT); CREATE INDEX ${name}_b ON ${name}(b)`,
      )
      this.#db.exec(`INSERT INTO ${name}(b) SELECT name FROM side ORDER BY id DESC LIMIT 200`)
    } else if (this.#random.chance(0.3)) {
      this.#db.exec(`ALTER TABLE ${name} ADD COLUMN c${n} TEXT DEFAULT 'x'`)
    } else {
      this.#db.exec(`DROP TABLE ${name}`)
    }
    this.#schemaChanges++
  }

  #rollBack(): void {
    this.#db.pragma('cache_size=8')
    this.#run('BEGIN IMMEDIATE')
    this.#insertSide(300)
    this.#run('DELETE FROM log')
    this.#run('ROLLBACK')
    this.#db.pragma('cache_size=-2000')
    this.#rollbacks++
  }

  #checkpoint(mode: string): void {
    const [row] = this.#db.pragma(`wal_checkpoint(${mode})`) as { busy: number }[]
    this.#checkpoints++
    if (row?.busy === 1) this.#checkpointsBusy++
  }

  #acknowledge(n: number): void {
    writeSync(this.#log, `${n}\n`)
    if (this.#options.syncCommitLog) fsyncSync(this.#log)
  }

  /** Repeats for half a minute what meets a lock; everything else that goes wrong ends the process. */
  #retry<T>(work: () => T): T {
    const until = performance.now() + 30_000
    for (;;) {
      try {
        return work()
      } catch (error) {
        if (this.#db.inTransaction) this.#db.exec('ROLLBACK')
        const code = (error as { code?: unknown }).code
        const locked =
          typeof code === 'string' && (code.startsWith('SQLITE_BUSY') || code === 'SQLITE_LOCKED')
        if (!locked || performance.now() > until) throw error
        this.#busy++
      }
    }
  }

  #run(sql: string, ...values: unknown[]): void {
    this.#statement(sql).run(...values)
  }

  #number(sql: string): number {
    return this.#statement(sql).pluck().get() as number
  }

  #statement(sql: string): Database.Statement {
    let statement = this.#statements.get(sql)
    if (statement === undefined) {
      statement = this.#db.prepare(sql)
      this.#statements.set(sql, statement)
    }
    return statement
  }
}
