import type { ReadReplica } from '@sqlstream/read-replica'
import type Database from 'better-sqlite3'
import { atMost, type Figure } from './benchmark.ts'
import { median } from './statistics.ts'

/** A statement that is run this many times in one round trip. */
interface Contest {
  readonly name: string
  readonly sql: string
  readonly params?: (i: number) => number[]
  readonly times?: number
}

/** Of the time of better-sqlite3. */
const MOST = 1.7

function contestsOf(rows: number): readonly Contest[] {
  return [
    {
      name: 'row by its id',
      sql: 'SELECT * FROM item WHERE id = ?',
      params: (i) => [((i * 7919) % rows) + 1],
      times: 1000,
    },
    { name: '10,000 rows', sql: 'SELECT * FROM item LIMIT 10000' },
    { name: 'group by', sql: 'SELECT kind, count(*), max(length(name)) FROM item GROUP BY kind' },
    {
      name: 'join',
      sql: 'SELECT title, count(*) FROM item JOIN kind ON kind.id = item.kind WHERE item.kind < 20 GROUP BY title',
    },
    { name: 'full scan', sql: 'SELECT sum(length(body)) FROM item' },
  ]
}

async function timed(work: () => unknown): Promise<number> {
  const started = performance.now()
  await work()
  return performance.now() - started
}

/** Queries of pages that are in memory, beside better-sqlite3 on the database: in turn, so that whatever else the machine does is in both. */
export async function cachedQueries(
  replica: ReadReplica,
  db: Database.Database,
  {
    rows,
    rounds,
    warmUpMs,
    say,
  }: { readonly rows: number; readonly rounds: number; readonly warmUpMs: number; say(text: string): void },
): Promise<Figure[]> {
  const figures: Figure[] = []
  for (const { name, sql, params = () => [], times = 1 } of contestsOf(rows)) {
    say(name)
    const statement = db.prepare(sql)
    const list = Array.from({ length: times }, (_, i) => [sql, params(i)] as const)
    const ours: number[] = []
    const ratios: number[] = []
    const warmUntil = performance.now() + warmUpMs
    for (let round = 0; round <= rounds; round++) {
      const our = await timed(() => replica.batch(list))
      const their = await timed(() => {
        for (let i = 0; i < times; i++) statement.all(...params(i))
      })
      if (round === 0) {
        if (performance.now() < warmUntil) round--
        continue
      }
      ours.push(our)
      ratios.push(our / their)
    }
    const ratio = median(ratios)
    const value = median(ours) / times
    const than = 'better-sqlite3'
    figures.push({ name: `${name}, cached`, value, unit: 'ms', ratio, than, ...atMost(ratio, MOST, 'times') })
  }
  return figures
}
