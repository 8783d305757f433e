// Follows a replica and notes when it shows which row. Argument: ReaderOptions. Tells when it is there; then, for a row, when it has seen it.
import { openFollower } from '@sqlstream/follower'
import { openReplica } from '@sqlstream/read-replica/node'
import { Replica } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import Database from 'better-sqlite3'
import type { ReaderOptions, ReaderReply } from './follow-reader.ts'
import { sharedClock } from './statistics.ts'

/** So often the file is read: what is measured is late by that at most. */
const READ_EVERY_MS = 3
const NEWEST = 'SELECT max(id) AS id FROM entry'

const { kind, replica: folder, copy, pollMs } = JSON.parse(process.argv[2] ?? '') as ReaderOptions
const rows: number[] = []
const times: number[] = []
let wanted = Number.POSITIVE_INFINITY

function saw(row: number): void {
  if (row > (rows.at(-1) ?? 0)) {
    rows.push(row)
    times.push(sharedClock())
  }
  answer()
}

function answer(): void {
  if ((rows.at(-1) ?? 0) < wanted) return
  wanted = Number.POSITIVE_INFINITY
  process.send?.({ rows, times } satisfies ReaderReply)
}

async function startFollower(): Promise<void> {
  const poll = { everyMs: pollMs }
  await openFollower({ replica: new Replica(new FileStore(folder)), file: copy, poll })
}

function startFile(): void {
  const statement = new Database(copy, { readonly: true }).prepare<[], { id: number }>(NEWEST)
  const read = (): void => saw(statement.get()?.id ?? 0)
  read()
  setInterval(read, READ_EVERY_MS)
}

async function startReplica(): Promise<void> {
  const replica = await openReplica({
    store: new FileStore(folder),
    poll: { intervalMs: pollMs },
    ...(kind === 'hydrated' && { hydrate: { path: copy } }),
  })
  const read = async (): Promise<void> => saw(Number((await replica.get(NEWEST))?.['id'] ?? 0))
  const fail = (error: unknown): void => {
    throw error
  }
  replica.on('error', fail)
  if (kind === 'hydrated') await new Promise((resolve) => replica.on('hydrated', resolve))
  replica.on('advance', () => void read().catch(fail))
  await read()
}

if (kind === 'follower') await startFollower()
else if (kind === 'file') startFile()
else await startReplica()

process.on('message', ({ row }: { row: number }) => {
  wanted = row
  answer()
})
process.on('disconnect', () => process.exit())
process.send?.({ rows: [], times: [] } satisfies ReaderReply)
