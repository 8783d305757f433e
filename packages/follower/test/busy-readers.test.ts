import { MemoryStore } from '@sqlstream/storage'
import { expect, test } from 'vitest'
import { type FollowerEvent, openFollower } from '../src/index.ts'
import { comparable, History } from './support/history.ts'
import { ReaderProcess } from './support/reader-process.ts'

const STEPS = 1000

/** Moves money between two accounts, and whatever else makes pages appear, move and go. */
function transaction(n: number): string {
  const parts = [
    `UPDATE account SET balance = balance - 1 WHERE id = ${1 + ((n * 7) % 50)}`,
    `UPDATE account SET balance = balance + 1 WHERE id = ${1 + ((n * 13) % 50)}`,
    `UPDATE account SET stamp = ${n}`,
    `UPDATE version SET n = ${n}`,
    `INSERT INTO log VALUES (${n}, ${n % 7}, randomblob(${50 + ((n * 97) % 3000)}))`,
  ]
  if (n % 50 === 20) parts.push(`DELETE FROM log WHERE n <= ${n} - 20`)
  if (n % 97 === 30) parts.push(`CREATE TABLE extra_${n} AS SELECT * FROM log`)
  if (n % 97 === 60) parts.push(`DROP TABLE extra_${n - 30}`)
  if (n % 120 === 70)
    parts.push(`ALTER TABLE account ADD COLUMN c${n}`, `CREATE INDEX i${n} ON account(c${n}, id)`)
  const sql = `BEGIN; ${parts.join('; ')}; COMMIT`
  return n % 83 === 40 ? `${sql}; VACUUM` : sql
}

test('F1, T67: two readers that never pause see a thousand transactions whole, in order, to the last', {
  timeout: 600_000,
}, async () => {
  using history = new History({ store: new MemoryStore() })
  await history.step(`
    CREATE TABLE version(n); INSERT INTO version VALUES (0);
    CREATE TABLE account(id INTEGER PRIMARY KEY, balance, stamp, pad);
    WITH RECURSIVE a(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM a WHERE i < 50)
      INSERT INTO account SELECT i, 100, 0, randomblob(600) FROM a;
    CREATE TABLE log(n INTEGER PRIMARY KEY, tag, body); CREATE INDEX log_tag ON log(tag)`)
  await history.step(transaction(1))
  // Made before, so that the machine is the readers' and the follower's.
  for (let n = 2; n <= STEPS; n++) {
    history.db.exec(transaction(n))
    history.record()
  }
  const applied: bigint[] = []
  const onEvent = (event: FollowerEvent): void => {
    if (event.type === 'applied') applied.push(event.pos.txid)
    if (event.type === 'failed') throw event.error
  }
  const file = history.path('copy.db')
  await using follower = await openFollower({
    replica: history.replica,
    file,
    poll: { everyMs: 1 },
    onEvent,
  })
  const readers = [new ReaderProcess(file), new ReaderProcess(file)]
  try {
    await Promise.all(readers.map((reader) => reader.reading()))
    for (let n = 2; n <= STEPS; n++) {
      const { maxTXID } = await history.put(n + 1)
      await follower.waitFor(maxTXID)
    }
    const reports = await Promise.all(readers.map((reader) => reader.stop()))
    for (const report of reports) {
      expect(report.problems).toEqual([])
      expect(report.last).toBe(STEPS)
      expect(report.versions).toBeGreaterThan(10)
    }
  } finally {
    for (const reader of readers) reader.kill()
  }
  expect(applied).toEqual(Array.from({ length: STEPS - 1 }, (_, i) => BigInt(i + 3)))
  const image = history.images.at(-1) as Buffer
  expect(comparable(file, image).equals(image)).toBe(true)
})
