// The application of the quickstart: writes to a SQLite database until it is killed, and notes each
// transaction in a log right after its commit. It knows nothing of sqlstream.
import { openSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'

const [path, logPath] = process.argv.slice(2)
if (path === undefined || logPath === undefined) throw new Error('usage: quickstart-app.ts <database> <log>')

const db = new Database(path)
db.pragma('journal_mode = WAL')
db.exec(`CREATE TABLE payment (n INTEGER PRIMARY KEY, cents INTEGER NOT NULL, note BLOB NOT NULL);
  CREATE TABLE balance (account INTEGER PRIMARY KEY, cents INTEGER NOT NULL)`)
const pay = db.prepare('INSERT INTO payment VALUES (?, ?, randomblob(?))')
const book = db.prepare(
  'INSERT INTO balance VALUES (?, ?) ON CONFLICT (account) DO UPDATE SET cents = cents + excluded.cents',
)
const transaction = db.transaction((n: number) => {
  const cents = (n * 7919) % 10_000
  pay.run(n, cents, 20 + (n % 300))
  book.run(n % 500, cents)
})

const log = openSync(logPath, 'a')
let n = 0

/** Ten transactions every five milliseconds: steady, and most of a core stays free. */
function burst(): void {
  for (let i = 0; i < 10; i++) {
    n++
    transaction(n)
    writeSync(log, `${n} ${Date.now()}\n`)
  }
}

setInterval(burst, 5)
