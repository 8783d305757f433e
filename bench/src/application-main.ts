// The application whose database is replicated: one connection, one row a transaction, knows nothing of us.
// Argument: ApplicationOptions. Then one ApplicationRequest after the other, each answered by an ApplicationReply.
import { openSync, readSync } from 'node:fs'
import { decodeWALIndexHeader, WAL_INDEX_HEADER_SIZE } from '@sqlstream/wal'
import Database from 'better-sqlite3'
import type { ApplicationOptions, ApplicationReply, ApplicationRequest, Pace } from './application.ts'
import { rowPayloads } from './row-bytes.ts'
import { quantile, sharedClock } from './statistics.ts'

const MOST_LATENCIES = 4_000_000

const options = JSON.parse(process.argv[2] ?? '') as ApplicationOptions
const db = new Database(options.database, { timeout: 5000 })
db.pragma('journal_mode=WAL')
db.pragma('synchronous=NORMAL')
db.pragma(`wal_autocheckpoint=${options.autoCheckpoint ?? 1000}`)
db.exec('CREATE TABLE IF NOT EXISTS entry(id INTEGER PRIMARY KEY, body BLOB)')
const insert = db.prepare('INSERT INTO entry(body) VALUES(?)')
const small = rowPayloads(200)
// Four bytes less than a page holds, so that each row fills one.
const large = rowPayloads(4000)
let rows = 0

// Its own descriptor, kept to the end: closing it would drop this process's locks on the file.
const shm = openSync(`${options.database}-shm`, 'r')
const index = new Uint8Array(WAL_INDEX_HEADER_SIZE)

function insertSmall(): void {
  insert.run(small[rows++ % small.length])
}

/** Writes at a pace for some time, and notes the place in the WAL after each commit if asked to. */
function write({ seconds, rate, marks }: Pace): ApplicationReply {
  const latencies = new Float64Array(rate === undefined ? MOST_LATENCIES : Math.ceil(rate * seconds) + 1)
  const times: number[] = []
  const places: number[] = []
  const sleeper = new Int32Array(new SharedArrayBuffer(4))
  const began = performance.now()
  const until = began + seconds * 1000
  let commits = 0
  let now = began
  while (now < until) {
    const due = rate === undefined ? 0 : began + (commits * 1000) / rate
    // Sleeping in place keeps the pace even; a timer of the event loop is a millisecond late or more.
    if (due > now) Atomics.wait(sleeper, 0, 0, due - now)
    const started = performance.now()
    insertSmall()
    now = performance.now()
    if (commits < latencies.length) latencies[commits] = now - started
    commits++
    if (marks === true) {
      times.push(sharedClock())
      readSync(shm, index, 0, index.length, 0)
      const header = decodeWALIndexHeader(index)
      if (header === undefined) throw new Error('the wal-index cannot be read between two commits')
      places.push(header.salt1, header.salt2, header.mxFrame)
    }
  }
  const sample = latencies.subarray(0, Math.min(commits, latencies.length))
  return {
    commits,
    milliseconds: now - began,
    p50: quantile(sample, 0.5),
    p99: quantile(sample, 0.99),
    max: quantile(sample, 1),
    times,
    places,
  }
}

/** Leaves about this many bytes of new frames in the WAL. */
function backlog(bytes: number, distinctPages: boolean): void {
  const before = mxFrame()
  while ((mxFrame() - before) * 4120 < bytes) {
    if (distinctPages) db.transaction(() => large.forEach((body) => void insert.run(body)))()
    else for (let i = 0; i < 100; i++) insertSmall()
  }
}

function mxFrame(): number {
  readSync(shm, index, 0, index.length, 0)
  return decodeWALIndexHeader(index)?.mxFrame ?? 0
}

const nothing: ApplicationReply = {
  commits: 0,
  milliseconds: 0,
  p50: 0,
  p99: 0,
  max: 0,
  times: [],
  places: [],
}

function answer(request: ApplicationRequest): ApplicationReply {
  switch (request.do) {
    case 'write':
      return write(request)
    case 'commit':
      insertSmall()
      return { ...nothing, commits: 1, times: [sharedClock()] }
    case 'backlog':
      backlog(request.bytes, request.distinctPages)
      return nothing
    case 'close':
      db.close()
      return nothing
  }
}

process.on('message', (request: ApplicationRequest) => {
  process.send?.(answer(request), () => {
    if (request.do === 'close') process.disconnect()
  })
})
process.send?.(nothing)
