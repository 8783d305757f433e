// Opens a copy ten times, reads and closes it. Prints what it read.
import Database from 'better-sqlite3'

for (let i = 0; i < 10; i++) {
  const db = new Database(process.argv[2] as string, { readonly: true })
  console.log(db.prepare('SELECT count(*) FROM t').pluck().get())
  db.close()
}
