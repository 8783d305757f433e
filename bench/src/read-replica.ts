import { join } from 'node:path'
import type { ReadReplica } from '@sqlstream/read-replica'
import { openReplica } from '@sqlstream/read-replica/node'
import { filesOf, Replica } from '@sqlstream/replica'
import { Primary } from '@sqlstream/replica-core'
import type { BlobStore } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import Database from 'better-sqlite3'
import { atMost, type Benchmark, type BenchmarkContext, type Figure } from './benchmark.ts'
import { median } from './statistics.ts'

const LATENCY_MS = 5

/** A replica of a database in use: a snapshot, and captures behind it. The database is left, closed. */
async function makeReplica(
  context: BenchmarkContext,
  rows: number,
): Promise<{ replica: string; database: string }> {
  const database = join(context.folder, 'app.db')
  const replica = join(context.folder, 'replica')
  const db = new Database(database)
  db.pragma('journal_mode = WAL')
  db.exec(`
    CREATE TABLE item (id INTEGER PRIMARY KEY, name TEXT, kind INTEGER, body TEXT);
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows})
    INSERT INTO item SELECT i, 'name ' || ((i * 7919) % ${rows}), i % 100,
      hex(randomblob(100)) || ' some words that compress well, as text does, in every row: ' || i || hex(zeroblob(60)) FROM n;
    CREATE INDEX item_kind ON item (kind);
    CREATE INDEX item_name ON item (name);
    CREATE TABLE kind (id INTEGER PRIMARY KEY, title TEXT);
    INSERT INTO kind SELECT DISTINCT kind, 'kind ' || kind FROM item;`)
  await using store = new FileStore(replica)
  const primary = await Primary.open({ database, replica: new Replica(store) })
  for (let i = 0; i < 11; i++) {
    const count = i === 0 ? Math.round(rows / 400) : 30
    db.exec(
      `UPDATE item SET body = body || 'x' WHERE id IN (SELECT abs(random()) % ${rows} + 1 FROM item LIMIT ${count})`,
    )
    await primary.sync()
  }
  await primary.close()
  db.close()
  return { replica, database }
}

/** As if the store were some way off. */
function distant(inner: BlobStore, count: { requests: number }): BlobStore {
  const answer = async <T>(call: () => Promise<T>): Promise<T> => {
    count.requests++
    await new Promise((resolve) => setTimeout(resolve, LATENCY_MS))
    return await call()
  }
  return {
    driver: inner.driver,
    capabilities: inner.capabilities,
    list: (options) => {
      count.requests++
      return inner.list(options)
    },
    head: (key, options) => answer(() => inner.head(key, options)),
    get: (key, options) => answer(() => inner.get(key, options)),
    put: (key, body, options) => inner.put(key, body, options),
    delete: (keys, options) => inner.delete(keys, options),
    [Symbol.asyncDispose]: () => inner[Symbol.asyncDispose](),
  }
}

/** A statement run this many times in one round trip. */
interface Contest {
  readonly name: string
  readonly sql: string
  readonly params: (i: number) => number[]
  readonly times: number
  readonly most: number
}

async function timed(work: () => unknown): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Both in turn, so that whatever else the machine does is in both. */
async function compete(
  replica: ReadReplica,
  db: Database.Database,
  contest: Contest,
  rounds: number,
): Promise<Figure> {
  const { name, sql, params, times, most } = contest
  const statement = db.prepare(sql)
  const list = Array.from({ length: times }, (_, i) => [sql, params(i)] as const)
  const ours: number[] = []
  const ratios: number[] = []
  for (let round = 0; round <= rounds; round++) {
    const our = await timed(() => replica.batch(list))
    const their = await timed(() => {
      for (let i = 0; i < times; i++) statement.all(...params(i))
    })
    if (round === 0) continue
    ours.push(our)
    ratios.push(our / their)
  }
  const ratio = median(ratios)
  return {
    name,
    value: median(ours) / times,
    unit: 'ms',
    ratio,
    than: 'better-sqlite3',
    ...atMost(ratio, most, 'times'),
  }
}

/** Queries of a backup that is not restored. */
export const readReplica: Benchmark = {
  title: 'Read replica',
  description: `A backup in a folder that answers ${LATENCY_MS} ms late: a snapshot and 11 captures, two indexes. Cold: requests, and the time until the answer. Cached: the time of a statement, and its ratio to better-sqlite3 on the database itself, in the same process and in turn.`,
  async run(context) {
    const rows = { full: 400_000, quick: 40_000, tiny: 2000 }[context.size]
    const rounds = { full: 7, quick: 3, tiny: 1 }[context.size]
    context.say('replica')
    const paths = await makeReplica(context, rows)
    await using inner = new FileStore(paths.replica)
    const count = { requests: 0 }
    const figures: Figure[] = []
    const cold = async (name: string, most: number, work: () => Promise<unknown>): Promise<void> => {
      const before = count.requests
      const milliseconds = await timed(work)
      const requests = count.requests - before
      figures.push({ name: `${name}, requests`, value: requests, unit: '', ...atMost(requests, most, '') })
      figures.push({ name, value: milliseconds, unit: 'ms' })
    }
    const files = filesOf(await new Replica(inner).catalog()).length
    let opened: ReadReplica | undefined
    const store = distant(inner, count)
    const cache = { bytes: 300 * 1024 * 1024 }
    context.say('cold')
    await cold('open', files + 3, async () => {
      opened = await openReplica({ store, poll: false, cache })
    })
    await using replica = opened as ReadReplica
    const share = rows / 400_000
    await cold('first row', 3, () => replica.get('SELECT * FROM item WHERE id = ?', [Math.round(rows / 3)]))
    await cold('second row', 3, () => replica.get('SELECT * FROM item WHERE id = ?', [Math.round(rows / 2)]))
    await cold('row by an index', 5, () => replica.get('SELECT * FROM item WHERE name = ?', ['name 77']))
    await cold('100 neighbours', 6, () => replica.all('SELECT * FROM item WHERE id BETWEEN 1000 AND 1099'))
    await cold('count(*)', 30, () => replica.get('SELECT count(*) FROM item'))
    await cold('full scan', Math.max(30, 400 * share), () =>
      replica.get('SELECT sum(length(body)) FROM item'),
    )
    const db = new Database(paths.database, { readonly: true })
    try {
      const contests: Contest[] = [
        {
          name: 'row by its id',
          sql: 'SELECT * FROM item WHERE id = ?',
          params: (i) => [((i * 7919) % rows) + 1],
          times: 1000,
          most: 4,
        },
        { name: '10,000 rows', sql: 'SELECT * FROM item LIMIT 10000', params: () => [], times: 1, most: 6 },
        {
          name: 'group by',
          sql: 'SELECT kind, count(*), max(length(name)) FROM item GROUP BY kind',
          params: () => [],
          times: 1,
          most: 2,
        },
        {
          name: 'join',
          sql: 'SELECT title, count(*) FROM item JOIN kind ON kind.id = item.kind WHERE item.kind < 20 GROUP BY title',
          params: () => [],
          times: 1,
          most: 2,
        },
        { name: 'full scan', sql: 'SELECT sum(length(body)) FROM item', params: () => [], times: 1, most: 2 },
      ]
      for (const contest of contests) {
        context.say(contest.name)
        figures.push(await compete(replica, db, { ...contest, name: `${contest.name}, cached` }, rounds))
      }
    } finally {
      db.close()
    }
    const { bytes, cachedBytes } = replica.stats()
    return { figures, notes: [`${bytes} bytes were read, ${cachedBytes} bytes of pages were kept.`] }
  },
}
