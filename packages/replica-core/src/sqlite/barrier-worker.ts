import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'

/** How a barrier worker is started. */
export interface BarrierData {
  /** One word: 0 while the barrier is wanted, 1 to lower it. */
  readonly lowered: Int32Array<SharedArrayBuffer>
}
/** Asks for the barrier, or to let go of a database. */
export type BarrierRequest =
  | {
      readonly id: number
      readonly path: string
      /** How long to try for the write lock, ms. */
      readonly patienceMs: number
      /** How long to hold it at most, ms. */
      readonly maxMs: number
    }
  | { readonly id: number; readonly close: string }
/** First whether the lock was taken; if so, a second message once it was given back. */
export type BarrierReply = { readonly id: number } & (
  | { readonly type: 'raised' | 'busy' | 'closed' }
  | { readonly type: 'lowered'; readonly heldMs: number }
  | { readonly type: 'error'; readonly message: string }
)

interface Connection {
  readonly db: Database.Database
  readonly begin: Database.Statement
}

const { lowered } = workerData as BarrierData
// Kept while the main thread holds its read transaction: closing one is then never the last close.
const connections = new Map<string, Connection>()

function connect(path: string): Connection {
  const open = connections.get(path)
  if (open !== undefined) return open
  // SQLite's own busy handler sleeps between its tries, longer than a busy writer leaves the lock free.
  const db = new Database(path, { fileMustExist: true, timeout: 0 })
  db.pragma('wal_autocheckpoint = 0')
  const connection = { db, begin: db.prepare('BEGIN IMMEDIATE') }
  connections.set(path, connection)
  return connection
}

function raise(begin: Database.Statement, patienceMs: number): boolean {
  const until = performance.now() + patienceMs
  do {
    try {
      begin.run()
      return true
    } catch (error) {
      if (!String((error as { code?: string }).code).startsWith('SQLITE_BUSY')) throw error
    }
  } while (performance.now() < until)
  return false
}

function hold({ id, path, patienceMs, maxMs }: Extract<BarrierRequest, { path: string }>): BarrierReply {
  const { db, begin } = connect(path)
  if (!raise(begin, patienceMs)) return { id, type: 'busy' }
  const started = performance.now()
  try {
    parentPort?.postMessage({ id, type: 'raised' } satisfies BarrierReply)
    Atomics.wait(lowered, 0, 0, maxMs)
  } finally {
    db.exec('ROLLBACK')
  }
  return { id, type: 'lowered', heldMs: performance.now() - started }
}

function close({ id, close: path }: Extract<BarrierRequest, { close: string }>): BarrierReply {
  connections.get(path)?.db.close()
  connections.delete(path)
  return { id, type: 'closed' }
}

parentPort?.on('message', (request: BarrierRequest) => {
  let reply: BarrierReply
  try {
    reply = 'close' in request ? close(request) : hold(request)
  } catch (error) {
    reply = { id: request.id, type: 'error', message: String(error) }
  }
  parentPort?.postMessage(reply)
})
