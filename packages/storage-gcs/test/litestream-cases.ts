import { headOf, planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { Primary } from '@sqlstream/replica-core'
import { withPrefix } from '@sqlstream/storage'
import { compareImages, type LitestreamCLI, peerOrReason, TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { openStore } from './fake-store.ts'

const litestream = await peerOrReason('litestream-cli')

/** Litestream and we in one bucket, each with the other's backups: below `ours/` and `theirs/`. */
export function describeLitestream(name: string, endpoint: string): void {
  describe(`Litestream and we in a bucket of ${name}`, () => {
    beforeEach((context) => {
      if ('reason' in litestream) return context.skip(litestream.reason)
      vi.stubEnv('STORAGE_EMULATOR_HOST', endpoint)
    })
    afterEach(() => {
      vi.unstubAllEnvs()
    })

    test('it restores what we replicate', async () => {
      using folder = new TempFolder('gcs')
      const database = folder.join('app.db')
      using app = makeDatabase(database)
      await using store = openStore(endpoint)
      const primary = await Primary.open({ database, replica: new Replica(withPrefix(store, 'ours/')) })
      for (let n = 0; n < 5; n++) {
        insert(app, n)
        await primary.durable()
      }
      await primary.close()
      await peer().restore('gs://bucket/ours', folder.join('copy.db'))
      expect(rowsOf(folder.join('copy.db'))).toEqual(rowsOf(database))
    })

    test('we restore what it replicates', async () => {
      using folder = new TempFolder('gcs')
      const database = folder.join('app.db')
      using app = makeDatabase(database)
      for (let n = 0; n < 3; n++) {
        insert(app, n)
        await peer().replicateOnce(database, 'gs://bucket/theirs')
      }
      await using store = openStore(endpoint)
      const replica = new Replica(withPrefix(store, 'theirs/'))
      const catalog = await replica.catalog()
      expect(headOf(catalog)).toBeGreaterThan(1n)
      await restore(replica, planRestore(catalog, { kind: 'latest' }), fileSink(folder.join('ours.db')))
      expect(rowsOf(folder.join('ours.db'))).toEqual(rowsOf(database))
      await peer().restore('gs://bucket/theirs', folder.join('theirs.db'))
      expect(compareImages(folder.join('theirs.db'), folder.join('ours.db'))).toMatchObject({ equal: true })
    })
  })
}

function peer(): LitestreamCLI {
  if ('reason' in litestream) throw new Error(litestream.reason)
  return litestream
}

function makeDatabase(path: string): Database.Database & Disposable {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  db.exec('CREATE TABLE note (id INTEGER PRIMARY KEY, text TEXT)')
  return Object.assign(db, { [Symbol.dispose]: () => void db.close() })
}

function insert(db: Database.Database, n: number): void {
  db.prepare('INSERT INTO note (text) VALUES (?)').run(`${n}`.repeat(5000))
}

function rowsOf(path: string): unknown[] {
  const db = new Database(path, { readonly: true })
  try {
    return db.prepare('SELECT * FROM note ORDER BY id').all()
  } finally {
    db.close()
  }
}
