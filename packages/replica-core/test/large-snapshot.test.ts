import type { Worker } from 'node:worker_threads'
import { planRestore, Replica, restore, verify } from '@sqlstream/replica'
import { createKernelPool, fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import { compareImages, databaseImage, TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { Primary, type PrimaryEvent } from '../src/index.ts'

it('the first snapshot of more than 64 MB is encoded by threads, while the application goes on writing', async () => {
  using folder = new TempFolder('large')
  const database = folder.join('app.db')
  const db = new Database(database)
  db.pragma('journal_mode = wal')
  db.exec('CREATE TABLE t (content BLOB)')
  const insert = db.prepare('INSERT INTO t VALUES (randomblob(?))')
  db.transaction(() => {
    for (let i = 0; i < 66; i++) insert.run(1_000_000)
  })()

  const started: string[] = []
  const running = new Set<Worker>()
  const onWorker = (worker: Worker): void => {
    started.push(worker.threadName ?? '')
    running.add(worker)
    worker.once('exit', () => running.delete(worker))
  }
  process.on('worker', onWorker)
  const replica = new Replica(new FileStore(folder.join('replica')))
  const events: PrimaryEvent[] = []
  const onEvent = (event: PrimaryEvent): void => {
    events.push(event)
    if (event.type !== 'snapshot-progress') return
    insert.run(1000)
  }
  const snapshotted = Promise.withResolvers<void>()
  const primary = await Primary.open({
    database,
    replica,
    onEvent: (event) => {
      onEvent(event)
      if (event.type === 'snapshotted') snapshotted.resolve()
    },
  })
  await snapshotted.promise
  insert.run(1000)
  expect(started).toContain('sqlstream-kernel')
  expect((await primary.close()).pendingFiles).toBe(0)
  db.close()
  process.off('worker', onWorker)
  expect([...running].map(({ threadName }) => threadName)).toEqual([])
  expect(events.filter(({ type }) => type === 'failed' || type === 'resynced')).toEqual([])

  const image = await databaseImage(database, folder.join('image.db'))
  const restored = folder.join('restored.db')
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  await restore(replica, plan, fileSink(restored), { pool: createKernelPool })
  expect(compareImages(restored, image.path)).toMatchObject({ equal: true })
  for await (const finding of verify(replica, { depth: 'bytes', pool: createKernelPool })) {
    expect(finding.severity, finding.message).toBe('info')
  }
})
