import type { ReadReplica } from '@sqlstream/read-replica'
import { openReplica } from '@sqlstream/read-replica/node'
import { s3Driver } from '@sqlstream/storage-s3'
import { type LitestreamVFS, peerOrReason } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import type { Benchmark } from './benchmark.ts'
import { cachedQueries } from './cached-queries.ts'
import { Child } from './child.ts'
import { type ColdRead, type ColdRun, coldFigures, coldRun } from './cold-reads.ts'
import type { DistantReplicaOptions, DistantReplicaReply } from './distant-replica-main.ts'
import { makeItemReplica } from './item-replica.ts'

const LATENCY_MS = 5
/** Enough for every page of the database, for both. */
const CACHE_BYTES = 300 * 1024 * 1024
const FULL_ROWS = 400_000
const NEVER_MS = 24 * 3600 * 1000

function coldReads(rows: number): readonly ColdRead[] {
  const share = rows / FULL_ROWS
  const row = (id: number) => `SELECT * FROM item WHERE id = ${Math.round(id)}`
  return [
    { name: 'first row', sql: row(rows / 3), requests: 3 },
    { name: 'second row', sql: row(rows / 2), requests: 3 },
    { name: 'row by an index', sql: "SELECT * FROM item WHERE name = 'name 77'", requests: 5 },
    { name: '100 neighbours', sql: 'SELECT * FROM item WHERE id BETWEEN 1000 AND 1099', requests: 6 },
    { name: 'count(*)', sql: 'SELECT count(*) FROM item', requests: 30 },
    {
      name: 'full scan',
      sql: 'SELECT sum(length(body)) FROM item',
      requests: Math.max(30, 400 * share),
      milliseconds: share === 1 ? 3000 : undefined,
    },
  ]
}

async function readTheirs(
  server: Child<DistantReplicaReply>,
  vfs: LitestreamVFS,
  url: string,
  reads: readonly ColdRead[],
): Promise<ColdRun> {
  await using session = await vfs.session()
  await session.ask(['.mode json'])
  return await coldRun(server, reads, {
    open: () => session.open(url, { pollIntervalMs: NEVER_MS, cacheBytes: CACHE_BYTES }),
    read: async (sql) => JSON.parse(await session.ask([`${sql};`])) as unknown,
  })
}

/** Queries of a backup that is not restored. */
export const readReplica: Benchmark = {
  title: 'Read replica',
  description: `A snapshot and 11 captures of a database with two indexes, in our S3 in another process, whose every answer takes ${LATENCY_MS} ms longer. Cold: each query once, one after the other, and the requests that came to the server; beside it the VFS of Litestream in a shell of SQLite, of the same replica, with the same memory, neither looking for new states. Opening has the start of our thread and of SQLite in it, but not that of the shell and the loading of its extension. Cached: the time of a statement after a warm-up of two seconds, and its ratio to better-sqlite3 on the database itself, in the same process and in turn.`,
  async run({ size, folder, say }) {
    const rows = { full: FULL_ROWS, quick: 40_000, tiny: 2000 }[size]
    const rounds = { full: 15, quick: 7, tiny: 1 }[size]
    const warmUpMs = { full: 2000, quick: 1000, tiny: 0 }[size]
    // Both find them here; the server looks at no signature.
    process.env['AWS_ACCESS_KEY_ID'] = 'AKIDEXAMPLE'
    process.env['AWS_SECRET_ACCESS_KEY'] = 'secret'
    const peer = await peerOrReason('litestream-vfs')
    say('replica')
    const { database, replica: path } = await makeItemReplica(folder, rows)
    const options: DistantReplicaOptions = { replica: path, latencyMs: LATENCY_MS }
    await using server = new Child<DistantReplicaReply>('distant-replica-main', options)
    const { url, objects } = await server.receive()
    const reads = coldReads(rows)
    say('cold')
    await using store = await s3Driver.open(new URL(url))
    let opened: ReadReplica | undefined
    const ours = await coldRun(server, reads, {
      open: async () => {
        opened = await openReplica({ store, poll: false, cache: { bytes: CACHE_BYTES } })
      },
      read: async (sql) => await opened?.all(sql),
    })
    await using replica = opened as ReadReplica
    say('cold, Litestream')
    const theirs = 'reason' in peer ? undefined : await readTheirs(server, peer, url, reads)
    const figures = coldFigures(reads, ours, theirs, {
      than: 'Litestream',
      openRequests: objects + 3,
    })
    const db = new Database(database, { readonly: true })
    try {
      figures.push(...(await cachedQueries(replica, db, { rows, rounds, warmUpMs, say })))
    } finally {
      db.close()
    }
    const { bytes, cachedBytes } = replica.stats()
    const notes = [`${bytes} bytes were read, ${cachedBytes} bytes of pages were kept.`]
    if ('reason' in peer) notes.push(peer.reason)
    return { figures, notes }
  },
}
