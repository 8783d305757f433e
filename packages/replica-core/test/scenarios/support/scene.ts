import { cpSync, mkdirSync, readdirSync, rmSync } from 'node:fs'
import { Decoder, type Header } from '@sqlstream/ltx'
import {
  type LTXFile,
  planRestore,
  Replica,
  type RestoreResult,
  type RestoreTarget,
  restore,
} from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import type { BlobStore } from '@sqlstream/storage'
import { FileStore } from '@sqlstream/storage-file'
import { compareImages, TempFolder } from '@sqlstream/testkit'
import Database from 'better-sqlite3'
import { expect } from 'vitest'
import { Primary, type PrimaryEvent, type PrimaryOptions } from '../../../src/index.ts'
import type { PrimaryContext } from '../../../src/primary-context.ts'
import { Application } from './application.ts'

/** A file of a replica, read to its end. */
export interface ReadFile {
  readonly header: Header
  readonly pgnos: readonly number[]
}

/** One database with its application, its replica, and the replicator in the test's process. */
export class Scene implements AsyncDisposable {
  readonly folder: TempFolder
  app: Application
  readonly store: BlobStore
  readonly replica: Replica
  readonly events: PrimaryEvent[] = []
  readonly #waiting = new Set<() => void>()
  readonly #open = new Set<Primary>()

  private constructor(folder: TempFolder, app: Application, store: BlobStore) {
    this.folder = folder
    this.app = app
    this.store = store
    this.replica = new Replica(store)
  }

  /** An application with an open WAL database that holds table `t(id, v)`; it never checkpoints by itself. */
  static async begin(
    options: {
      readonly pragmas?: string
      readonly wrap?: (store: BlobStore) => BlobStore
      readonly sql?: string
      /** Of another scene, to share its replica. Default: a folder of its own. */
      readonly store?: BlobStore
    } = {},
  ): Promise<Scene> {
    const folder = new TempFolder('scenario')
    mkdirSync(folder.join('db'))
    const store = options.store ?? new FileStore(folder.join('replica'))
    const scene = new Scene(folder, await Application.start(), options.wrap?.(store) ?? store)
    scene.app.open(scene.database)
    scene.app.run(`${options.pragmas ?? ''}; PRAGMA journal_mode=WAL; PRAGMA wal_autocheckpoint=0`)
    scene.app.run(options.sql ?? 'CREATE TABLE t(id INTEGER PRIMARY KEY, v)')
    return scene
  }

  get database(): string {
    return this.folder.join('db', 'app.db')
  }

  /** Starts the replicator in this process. */
  async replicate(options: Partial<PrimaryOptions> = {}, context: PrimaryContext = {}): Promise<Primary> {
    const { database, replica } = this
    const onEvent = (event: PrimaryEvent): void => {
      this.events.push(event)
      for (const look of this.#waiting) look()
      options.onEvent?.(event)
    }
    // Merges, which come with the clock, are only in the tests that are about them.
    const primary = await Primary.open(
      { database, replica, maintenance: 'never', ...options, onEvent },
      context,
    )
    this.#open.add(primary)
    return primary
  }

  /** Events of one type so far. */
  seen<T extends PrimaryEvent['type']>(type: T): Extract<PrimaryEvent, { type: T }>[] {
    return this.events.filter((event) => event.type === type) as Extract<PrimaryEvent, { type: T }>[]
  }

  /** Resolves once an event fits, past or to come. */
  async event(fits: (event: PrimaryEvent) => boolean): Promise<void> {
    if (this.events.some(fits)) return
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!this.events.some(fits)) return
        this.#waiting.delete(look)
        resolve()
      }
      this.#waiting.add(look)
    })
  }

  /** Restores to a file of its own. */
  async restore(
    name = 'restored.db',
    target: RestoreTarget = { kind: 'latest' },
  ): Promise<{ readonly path: string; readonly result: RestoreResult }> {
    const path = this.folder.join(name)
    const result = await restore(
      this.replica,
      planRestore(await this.replica.catalog(), target),
      fileSink(path, { overwrite: true }),
    )
    expect(result.proven).toBe(true)
    return { path, result }
  }

  /** Restores and asks the restored file. */
  async ask(sql: string, target?: RestoreTarget): Promise<unknown> {
    const { path } = await this.restore('asked.db', target)
    return query(path, sql)
  }

  /** All rows of `t`, as the application sees them and as the restored head has them. */
  async expectSameRows(): Promise<void> {
    const sql = "SELECT count(*) || ' ' || coalesce(sum(id), 0) || ' ' || coalesce(sum(length(v)), 0) FROM t"
    expect(await this.ask(sql)).toBe(this.app.value(sql))
  }

  /** Closes replicator and application; the restored head must be the database, page by page. */
  async expectSamePages(connections: readonly string[] = ['main']): Promise<void> {
    let pending = 0
    // Closing twice is fine; the last one opened says how things stand.
    for (const primary of this.#open) pending = (await primary.close()).pendingFiles
    expect(pending).toBe(0)
    this.#open.clear()
    for (const connection of connections) this.app.close(connection)
    // Nobody has the database open now, so it may be opened here; the last close moves the WAL into it.
    const db = new Database(this.database)
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.close()
    const { path } = await this.restore('head.db')
    expect(compareImages(this.database, path)).toMatchObject({ equal: true })
    expect(query(path, 'PRAGMA integrity_check')).toBe('ok')
  }

  /** Level-0 files of the replica, in order. */
  async files(level = 0): Promise<readonly LTXFile[]> {
    return (await this.replica.catalog()).levels.get(level) ?? []
  }

  /** A file of the replica, decoded to its end. */
  async read(file: LTXFile): Promise<ReadFile> {
    const decoder = await Decoder.open(this.replica.open(file))
    const pgnos: number[] = []
    for await (const batch of decoder.batches()) pgnos.push(...batch.pgnos.subarray(0, batch.count))
    await decoder.finish()
    return { header: decoder.header, pgnos }
  }

  /** The application dies, and its WAL stays; `change` may do to the files what a power cut does. Then it starts again. */
  async crash(change: (wal: string) => void = () => undefined): Promise<void> {
    await this.app.kill()
    change(`${this.database}-wal`)
    rmSync(`${this.database}-shm`, { force: true })
    this.app = (await Application.start()).open(this.database)
    this.app.run('PRAGMA wal_autocheckpoint=0')
  }

  /** Copies database, WAL and state as they are on disk; only while nobody has them open in this process. */
  keep(name: string, options: { readonly replica?: boolean } = {}): void {
    rmSync(this.folder.join(name), { recursive: true, force: true })
    cpSync(this.folder.join('db'), this.folder.join(name, 'db'), { recursive: true })
    if (options.replica !== false)
      cpSync(this.folder.join('replica'), this.folder.join(name, 'replica'), { recursive: true })
  }

  /**
   * Puts back what `keep` has copied, or a part of it. The folders stay: another one in the place of the replica would be taken for a disk
   * that is not mounted.
   */
  putBack(name: string, parts: readonly ('db' | 'replica')[] = ['db', 'replica']): void {
    for (const part of parts) {
      for (const each of readdirSync(this.folder.join(part)))
        rmSync(this.folder.join(part, each), { recursive: true, force: true })
      cpSync(this.folder.join(name, part), this.folder.join(part), { recursive: true })
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const primary of this.#open) await primary.close({ signal: AbortSignal.abort() })
    await this.app[Symbol.asyncDispose]()
    this.folder.remove()
  }
}

/** The first value of a query on a database that nobody replicates. */
export function query(path: string, sql: string): unknown {
  const db = new Database(path)
  try {
    return db.prepare(sql).pluck().get()
  } finally {
    db.close()
  }
}

/** SQL that adds `count` rows of `bytes` random bytes to `t`. */
export function addRows(count: number, bytes = 100): string {
  return `INSERT INTO t(v) WITH RECURSIVE n(i) AS (VALUES(1) UNION ALL SELECT i+1 FROM n WHERE i < ${count}) SELECT randomblob(${bytes}) FROM n`
}
