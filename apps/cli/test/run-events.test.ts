import { toTXID } from '@sqlstream/ltx'
import { PrimaryError } from '@sqlstream/replica-core'
import { expect, test } from 'vitest'
import { type RunNews, runNewsJSON, runNewsLine } from '../src/output/run-events.ts'
import { SCHEMAS } from '../src/schema.ts'

const AT = new Date('2026-11-24T03:15:00Z')
const source = { database: 'app.db', replica: 's3://bucket/app' }
const restored = { timestamp: AT, bytes: 8192, proven: true, milliseconds: 20 }
const fenced = new PrimaryError('fenced', 'another writer uses this replica', { hint: 'stop one' })
const notWAL = new PrimaryError('not-wal-mode', 'app.db is not in WAL mode')

test.each<[RunNews, string]>([
  [{ type: 'restoring', source, again: false }, 'app.db: is missing; restoring it from s3://bucket/app'],
  [{ type: 'restoring', source, again: true }, 'app.db: the replica has gone on meanwhile; restoring again'],
  [
    { type: 'restored', source, done: { ...restored, txid: toTXID(31n) } },
    'app.db: restored at TXID 000000000000001f, state of 2026-11-24T03:15:00.000Z: 8.0 KiB in 20 ms',
  ],
  [
    { type: 'restored', source, done: { ...restored, proven: false } },
    'app.db: restored state of 2026-11-24T03:15:00.000Z: 8.0 KiB in 20 ms',
  ],
  [
    { type: 'no-backup', source },
    'app.db: is missing, and there is no backup at s3://bucket/app; it is replicated as soon as it is there',
  ],
  [
    { type: 'open-failed', source, error: notWAL, retryInMs: 250 },
    'app.db: nothing of it is backed up yet: app.db is not in WAL mode (not-wal-mode); next try in 250 ms',
  ],
  [{ type: 'started', program: 'node', pid: 7 }, 'node started (pid 7)'],
  [
    { type: 'stopping', program: 'node', why: fenced },
    'node is told to end: another writer uses this replica',
  ],
  [{ type: 'killed', program: 'node' }, 'node has not ended in time, and is killed'],
  [{ type: 'ended', program: 'node', end: { code: 3, signal: null } }, 'node ended with exit code 3'],
  [{ type: 'ended', program: 'node', end: { code: null, signal: 'SIGTERM' } }, 'node ended by SIGTERM'],
])('%# of what it tells', (news, line) => {
  expect(runNewsLine(news)).toBe(line)
  const json = runNewsJSON(news, AT)
  expect(SCHEMAS['run-event'].parse(json)).toEqual(json)
  expect(json.time).toBe(AT.toISOString())
})

test('a line says nothing of the arguments of the application, which may be secrets', () => {
  const news: RunNews = { type: 'started', program: 'node', pid: 7 }
  expect(Object.keys(runNewsJSON(news, AT)).sort()).toEqual(['pid', 'program', 'state', 'time', 'type'])
})
