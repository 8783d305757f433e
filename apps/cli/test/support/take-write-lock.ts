import Database from 'better-sqlite3'

// Tries to begin a write transaction on the database of its argument, without waiting. Prints `free` or the code of the error.

const db = new Database(process.argv[2], { timeout: 0 })
try {
  db.exec('BEGIN IMMEDIATE')
  process.stdout.write('free')
} catch (error) {
  process.stdout.write(String((error as { code?: unknown }).code))
}
