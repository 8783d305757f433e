import { rmSync } from 'node:fs'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { FileStore } from '@sqlstream/storage-file'
import Database from 'better-sqlite3'

/** What the newest state of a replica in a folder holds: the numbers of its rows. Also proves that it is whole. */
export async function restoredRows(folder: string, copy: string): Promise<number[]> {
  const replica = new Replica(new FileStore(folder))
  const plan = planRestore(await replica.catalog(), { kind: 'latest' })
  await restore(replica, plan, fileSink(copy))
  const db = new Database(copy, { readonly: true })
  try {
    const problems = String(db.pragma('integrity_check', { simple: true }))
    if (problems !== 'ok') throw new Error(problems)
    return db.prepare('SELECT n FROM entry ORDER BY n').pluck().all() as number[]
  } finally {
    db.close()
    rmSync(copy)
  }
}
