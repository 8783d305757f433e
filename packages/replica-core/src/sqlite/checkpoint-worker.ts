import { parentPort } from 'node:worker_threads'
import Database from 'better-sqlite3'

/** Asks the worker to checkpoint, or to let go of a database. */
export interface CheckpointRequest {
  readonly id: number
  readonly path: string
  readonly mode: 'PASSIVE' | 'FULL' | 'RESTART' | 'TRUNCATE' | 'close'
}
/** `busy`, `log` and `checkpointed` as `PRAGMA wal_checkpoint` returns them. */
export interface CheckpointReply {
  readonly id: number
  readonly busy: number
  readonly log: number
  readonly checkpointed: number
  /** How long it took, ms. */
  readonly milliseconds: number
  readonly error?: string
}

// One read-write connection per database, kept while the main thread holds its read transaction:
// closing it then is never the last close, which would delete the WAL.
const connections = new Map<string, Database.Database>()

function checkpoint(request: CheckpointRequest): CheckpointReply {
  const none = { id: request.id, busy: 0, log: 0, checkpointed: 0, milliseconds: 0 }
  let db = connections.get(request.path)
  if (request.mode === 'close') {
    db?.close()
    connections.delete(request.path)
    return none
  }
  if (db === undefined) {
    db = new Database(request.path, { fileMustExist: true, timeout: 50 })
    connections.set(request.path, db)
  }
  const started = performance.now()
  const [row] = db.pragma(`wal_checkpoint(${request.mode})`) as CheckpointReply[]
  const milliseconds = performance.now() - started
  const { busy = 1, log = -1, checkpointed = -1 } = row ?? {}
  return { id: request.id, busy, log, checkpointed, milliseconds }
}

parentPort?.on('message', (request: CheckpointRequest) => {
  let reply: CheckpointReply
  try {
    reply = checkpoint(request)
  } catch (error) {
    reply = { id: request.id, busy: 1, log: -1, checkpointed: -1, milliseconds: 0, error: String(error) }
  }
  parentPort?.postMessage(reply)
})
