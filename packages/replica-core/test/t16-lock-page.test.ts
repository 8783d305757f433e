import { pathToFileURL } from 'node:url'
import { lockPgno } from '@sqlstream/ltx'
import { Replica, verify } from '@sqlstream/replica'
import { FileStore } from '@sqlstream/storage-file'
import { compareImages, databaseImage, peerOrReason, TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { Primary } from '../src/index.ts'
import { restoreOurs } from './interop/live-replica.ts'

const cli = await peerOrReason('litestream-cli')

// The largest pages: the same gigabyte in the fewest of them.
const PAGE_SIZE = 65536
const LOCK_PAGE = lockPgno(PAGE_SIZE)

it('T16: a live database grows across the lock page, shrinks and grows again, and is restored by us and by Litestream', {
  timeout: 180_000,
}, async (context) => {
  using folder = new TempFolder('t16')
  const database = folder.join('app.db')
  const db = new Database(database)
  db.pragma(`page_size=${PAGE_SIZE}`)
  db.pragma('auto_vacuum=INCREMENTAL')
  db.pragma('journal_mode=WAL')
  db.pragma('synchronous=OFF')
  db.exec('CREATE TABLE t(a INTEGER PRIMARY KEY, b BLOB)')
  const insert = db.prepare('INSERT INTO t(b) VALUES(zeroblob(?))')
  const pages = (): number => db.pragma('page_count', { simple: true }) as number
  insert.run(536_000_000)
  insert.run(536_000_000)
  expect(pages()).toBeLessThan(LOCK_PAGE)
  const replica = new Replica(new FileStore(folder.join('replica')))
  const primary = await Primary.open({ database, replica })

  const grow = (): void => {
    insert.run(9_000_000)
    db.exec('UPDATE t SET b = randomblob(1000) || substr(b, 1001, 500000) WHERE a > 2')
    insert.run(2_000_000)
  }
  grow()
  expect(pages()).toBeGreaterThan(LOCK_PAGE)
  await primary.durable()
  db.exec('DELETE FROM t WHERE a > 2')
  db.pragma('incremental_vacuum')
  expect(pages()).toBeLessThan(LOCK_PAGE)
  await primary.durable()
  grow()
  expect(pages()).toBeGreaterThan(LOCK_PAGE)
  await primary.durable()

  const source = await databaseImage(database, folder.join('source.db'))
  expect(source.pageCount).toBe(pages())
  await primary.close()
  db.close()
  for await (const finding of verify(replica, { depth: 'bytes' })) expect(finding.severity).toBe('info')
  await restoreOurs(replica, folder.join('ours.db'))
  expect(compareImages(folder.join('ours.db'), source.path)).toMatchObject({ equal: true })
  if ('reason' in cli) return void (await context.annotate(cli.reason))
  await cli.restore(pathToFileURL(folder.join('replica')).href, folder.join('theirs.db'), {
    timeoutMs: 120_000,
  })
  expect(compareImages(folder.join('theirs.db'), source.path)).toMatchObject({ equal: true })
})
