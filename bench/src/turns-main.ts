// An application with many databases open that writes to each in turn. Argument: TurnsOptions. Tells when all are open; on
// 'write' it writes for a while and answers with what it wrote and when.

import { setTimeout as sleep } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { sharedClock } from './statistics.ts'
import { type Turn, turnRow } from './turns.ts'

/** Which databases, and how fast. */
export interface TurnsOptions {
  readonly databases: readonly string[]
}

const { databases } = JSON.parse(process.argv[2] ?? '') as TurnsOptions
const open = databases.map((path) => {
  const db = new Database(path)
  db.pragma('synchronous = NORMAL')
  return db.prepare('INSERT INTO t(v) VALUES(?)')
})
let number = 0

process.on('message', async ({ seconds, rate }: { seconds: number; rate: number }) => {
  const turns: Turn[] = []
  const began = performance.now()
  for (let i = 0; performance.now() - began < seconds * 1000; i++) {
    const due = began + (i * 1000) / rate
    const early = due - performance.now()
    if (early > 1) await sleep(early)
    open[i % open.length]!.run(turnRow(++number))
    turns.push([databases[i % open.length]!, sharedClock(), number])
  }
  process.send?.(turns)
})
process.on('disconnect', () => process.exit())
process.send?.([])
