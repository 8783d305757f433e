import { copyFileSync, mkdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { Child } from './child.ts'
import type { FleetChildOptions, FleetFigures } from './fleet-child.ts'

const A_FOLDER = 100

/** Copies of one small database, a hundred in a folder. */
export function makeDatabases(folder: string, count: number): string[] {
  mkdirSync(folder, { recursive: true })
  const template = join(folder, '..', 'template.db')
  const db = new Database(template)
  db.pragma('journal_mode = WAL')
  db.exec(
    'CREATE TABLE IF NOT EXISTS t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < 300) SELECT randomblob(100) FROM n',
  )
  db.close()
  return Array.from({ length: count }, (_, i) => {
    const path = join(folder, String(Math.floor(i / A_FOLDER)), `${i}.db`)
    if (i % A_FOLDER === 0) mkdirSync(dirname(path), { recursive: true })
    copyFileSync(template, path)
    return path
  })
}

/** Starts a fleet in a process of its own, and waits until every database rests. */
export async function startFleet(
  options: FleetChildOptions,
): Promise<{ child: Child<FleetFigures>; first: FleetFigures }> {
  const child = new Child<FleetFigures>('fleet-main', options)
  const first = await child.receive()
  if (first.failures.length > 0) throw new Error(`the fleet met: ${first.failures.slice(0, 3).join('; ')}`)
  return { child, first }
}
