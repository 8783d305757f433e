import { parentPort, workerData } from 'node:worker_threads'
import Database from 'better-sqlite3'

/** How a barrier worker is started. */
export interface BarrierData {
  readonly path: string
  /** One word: 0 while the barrier is wanted, 1 to lower it. */
  readonly lowered: Int32Array<SharedArrayBuffer>
}
/** Asks for the barrier. */
export interface BarrierRequest {
  /** How long to try for the write lock, ms. */
  readonly patienceMs: number
  /** How long to hold it at most, ms. */
  readonly maxMs: number
}
/** First whether the lock was taken; if so, a second message once it was given back. */
export type BarrierReply = 'raised' | 'busy' | { readonly heldMs: number } | { readonly error: string }

const { path, lowered } = workerData as BarrierData
// SQLite's own busy handler sleeps between its tries, longer than a busy writer leaves the lock free.
const db = new Database(path, { fileMustExist: true, timeout: 0 })
db.pragma('wal_autocheckpoint = 0')
const begin = db.prepare('BEGIN IMMEDIATE')

function raise(patienceMs: number): boolean {
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

function hold(request: BarrierRequest): void {
  if (!raise(request.patienceMs)) {
    parentPort?.postMessage('busy' satisfies BarrierReply)
    return
  }
  const started = performance.now()
  try {
    parentPort?.postMessage('raised' satisfies BarrierReply)
    Atomics.wait(lowered, 0, 0, request.maxMs)
  } finally {
    db.exec('ROLLBACK')
  }
  parentPort?.postMessage({ heldMs: performance.now() - started } satisfies BarrierReply)
}

parentPort?.on('message', (request: BarrierRequest | 'close') => {
  if (request === 'close') {
    db.close()
    parentPort?.close()
    return
  }
  try {
    hold(request)
  } catch (error) {
    parentPort?.postMessage({ error: String(error) } satisfies BarrierReply)
  }
})
