// The program of Application: reads one request a line from one pipe and answers on another. Blocking
// on purpose: the parent may ask in the middle of a synchronous callback.
import { closeSync, openSync, readSync, writeSync } from 'node:fs'
import Database from 'better-sqlite3'
import type { Answer, ExecRequest, Request } from './application.ts'

const [requests = '', answers = ''] = process.argv.slice(2)
const connections = new Map<string, Database.Database>()

function handle(request: Request): unknown {
  switch (request.do) {
    case 'open':
      connections.set(request.connection, new Database(request.path, { timeout: request.busyTimeoutMs }))
      return undefined
    case 'exec':
      waiting(connection(request), request)
      return undefined
    case 'query':
      return rows(connection(request).prepare(request.sql))
    case 'close':
      connection(request).close()
      connections.delete(request.connection)
      return undefined
  }
}

/**
 * Executes statements, with patience for whoever keeps writers out for a moment. Not those for which the process has to do something
 * that waits for the answer: a checkpoint that wants readers to go, a database for itself.
 */
function waiting(db: Database.Database, { sql, patienceMs }: ExecRequest): void {
  if (/checkpoint|journal_mode|locking_mode/i.test(sql)) {
    db.exec(sql)
    return
  }
  const own = db.pragma('busy_timeout', { simple: true }) as number
  const now = Math.max(own, patienceMs)
  db.pragma(`busy_timeout = ${now}`)
  try {
    db.exec(sql)
  } finally {
    // Unless the statements have set another one.
    if (db.pragma('busy_timeout', { simple: true }) === now) db.pragma(`busy_timeout = ${own}`)
  }
}

/** The rows of a query; none of a statement that has none. */
function rows(statement: Database.Statement): unknown[] {
  if (statement.reader) return statement.raw().all()
  statement.run()
  return []
}

function connection(request: Request): Database.Database {
  const db = connections.get(request.connection)
  if (db === undefined) throw new Error(`no connection is called ${request.connection}`)
  return db
}

const input = openSync(requests, 'r')
const output = openSync(answers, 'w')
process.send?.('ready')
const buffer = new Uint8Array(1 << 16)
const decoder = new TextDecoder()
let text = ''
for (;;) {
  const length = readSync(input, buffer)
  // The parent is gone, or has closed its end.
  if (length === 0) break
  text += decoder.decode(buffer.subarray(0, length), { stream: true })
  for (let end = text.indexOf('\n'); end >= 0; end = text.indexOf('\n')) {
    let answer: Answer
    try {
      answer = { value: handle(JSON.parse(text.slice(0, end)) as Request) }
    } catch (error) {
      answer = { error: (error as Error).message, code: String((error as { code?: string }).code) }
    }
    text = text.slice(end + 1)
    writeSync(output, `${JSON.stringify(answer)}\n`)
  }
}
for (const db of connections.values()) db.close()
closeSync(output)
process.exit(0)
