import Database from 'better-sqlite3'

// An application that `sqlstream run` starts. Its argument is JSON: see ServedOptions. It says on standard output what it does, commits a row
// at each SIGUSR2, and ends at SIGTERM, unless it is told to end by itself.

export interface ServedOptions {
  readonly database: string
  /** Rows that it commits at its start. */
  readonly commits: number
  /** Ends by itself, with this code. */
  readonly exit?: number
  /** SIGTERM is only told. */
  readonly stubborn?: boolean
  /** Without it the database is left in the mode in which it was made. */
  readonly wal?: boolean
}

const options = JSON.parse(process.argv[2] ?? '') as ServedOptions
const say = (text: string): boolean => process.stdout.write(`${text}\n`)
const db = new Database(options.database)
if (options.wal !== false) db.pragma('journal_mode = WAL')
db.exec('CREATE TABLE IF NOT EXISTS entry (n INTEGER PRIMARY KEY, body BLOB)')
const count = db.prepare('SELECT count(*) FROM entry').pluck()
const insert = db.prepare('INSERT INTO entry (body) VALUES (randomblob(200))')
say(`rows ${count.get()}`)
for (let i = 0; i < options.commits; i++) insert.run()
say(`committed ${count.get()}`)

if (options.exit !== undefined) {
  // Without closing: as one that crashes.
  process.exit(options.exit)
}
process.on('SIGUSR2', () => {
  insert.run()
  say(`committed ${count.get()}`)
})
for (const signal of ['SIGINT', 'SIGHUP', 'SIGQUIT', 'SIGUSR1'] as const) {
  process.on(signal, () => say(`got ${signal}`))
}
process.on('SIGTERM', () => {
  say('got SIGTERM')
  if (options.stubborn) return
  db.close()
  process.exit(0)
})
setInterval(() => undefined, 1000)
say('serving')
