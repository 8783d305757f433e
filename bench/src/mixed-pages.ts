import Database from 'better-sqlite3'
import { rowPayloads } from './row-bytes.ts'

const NAMES = ['Anna Schmidt', 'Ben Meyer', 'Clara Weber', 'David Fischer', 'Emma Wagner', 'Felix Becker']
const STATES = ['pending', 'paid', 'shipped', 'delivered', 'cancelled']
const PATHS = ['/', '/shop', '/shop/item', '/cart', '/account/orders']
const BLOB_BYTES = 12_000

/** A generator of numbers that are the same in each run: of 0 to `below` - 1. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed
  return (below) => {
    state ^= state << 13
    state ^= state >>> 17
    state ^= state << 5
    return (state >>> 0) % below
  }
}

/**
 * Pages of a database as applications have them: people, orders with two indexes, events as JSON, measurements without
 * rowid, files of which six in ten cannot be compressed, and rows that were deleted.
 */
export function mixedPages(bytes: number): Buffer {
  const db = new Database(':memory:')
  db.exec(`PRAGMA page_size=4096;
    CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, email TEXT UNIQUE, balance REAL, born INTEGER);
    CREATE TABLE sale(id INTEGER PRIMARY KEY, person INTEGER, state TEXT, total REAL, placed INTEGER);
    CREATE INDEX sale_person ON sale(person);
    CREATE INDEX sale_state ON sale(state, placed);
    CREATE TABLE event(id INTEGER PRIMARY KEY, at INTEGER, body TEXT);
    CREATE TABLE measurement(series INTEGER, at INTEGER, value REAL, PRIMARY KEY(series, at)) WITHOUT ROWID;
    CREATE TABLE file(id INTEGER PRIMARY KEY, content BLOB)`)
  const person = db.prepare('INSERT INTO person VALUES(?, ?, ?, ?, ?)')
  const sale = db.prepare('INSERT INTO sale VALUES(NULL, ?, ?, ?, ?)')
  const event = db.prepare('INSERT INTO event VALUES(NULL, ?, ?)')
  const measurement = db.prepare('INSERT INTO measurement VALUES(?, ?, ?)')
  const file = db.prepare('INSERT INTO file VALUES(NULL, ?)')
  const random = randomNumbers(1)
  const pick = (values: readonly string[]): string => values[random(values.length)]!
  const noise = Uint32Array.from({ length: BLOB_BYTES / 4 }, () => random(2 ** 32))
  const texts = rowPayloads(BLOB_BYTES, 16)
  const insert = (i: number): void => {
    const name = pick(NAMES)
    const email = `${name.toLowerCase().replace(' ', '.')}${i}@example.test`
    person.run(i, name, email, random(1_000_000) / 100, 1_700_000_000 + i * 37)
    for (let k = 0; k < 3; k++) {
      sale.run(1 + random(i), pick(STATES), random(100_000) / 100, 1_700_000_000 + random(10_000_000))
      measurement.run(i % 50, 1_700_000_000 + i * 10 + k, random(10_000) / 100)
    }
    const user = random(i)
    const session = random(2 ** 32).toString(16)
    event.run(
      1_700_000_000_000 + i * 911,
      JSON.stringify({ user, session, path: pick(PATHS), ms: random(500) }),
    )
    if (i % 45 > 0) return
    for (let k = 0; k < noise.length; k++) noise[k] = random(2 ** 32)
    file.run(random(10) < 6 ? new Uint8Array(noise.buffer) : texts[random(texts.length)])
  }
  const pageCount = db.prepare('PRAGMA page_count').pluck()
  db.exec('BEGIN')
  for (let i = 1; (pageCount.get() as number) * 4096 < bytes; i++) insert(i)
  db.exec('DELETE FROM sale WHERE id % 9 = 0; COMMIT')
  const pages = db.serialize().subarray(0, bytes)
  db.close()
  return pages
}
