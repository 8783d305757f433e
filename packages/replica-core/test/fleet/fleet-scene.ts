import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { planRestore, Replica, restore } from '@sqlstream/replica'
import { fileSink } from '@sqlstream/replica/node'
import { type BlobStore, MemoryStore, withObserver, withPrefix } from '@sqlstream/storage'
import { TempFolder } from '@sqlstream/testkit'
import { Fleet } from '../../src/fleet/fleet.ts'
import type { FleetDatabase, FleetEvent } from '../../src/fleet/fleet-events.ts'
import type { FleetOptions } from '../../src/fleet/fleet-options.ts'
import { Application } from '../scenarios/support/application.ts'
import { query } from '../scenarios/support/scene.ts'

/** A folder of databases with their application, a store that counts, and a fleet in the test's process. */
export class FleetScene implements AsyncDisposable {
  readonly folder = new TempFolder('fleet')
  readonly app: Application
  readonly events: FleetEvent[] = []
  /** Calls of the store so far: `put tenants/a.db/ltx/...`. */
  readonly requests: string[] = []
  readonly store: BlobStore
  readonly #looks = new Set<() => void>()
  readonly #fleets = new Set<Fleet>()

  protected constructor(app: Application, wrap: (store: BlobStore) => BlobStore) {
    this.app = app
    mkdirSync(this.root)
    this.store = withObserver(wrap(new MemoryStore()), ({ operation, key }) =>
      this.requests.push(`${operation} ${key}`),
    )
  }

  static async begin(wrap: (store: BlobStore) => BlobStore = (store) => store): Promise<FleetScene> {
    return new FleetScene(await Application.start(), wrap)
  }

  get root(): string {
    return this.folder.join('data')
  }

  path(relpath: string): string {
    return this.folder.join('data', relpath)
  }

  /** The application creates a database with table `t(id, v)` and one row, and keeps it open. */
  create(relpath: string): void {
    const path = this.path(relpath)
    mkdirSync(dirname(path), { recursive: true })
    this.app.open(path, relpath)
    this.app.run('PRAGMA journal_mode=WAL', relpath)
    this.app.run('CREATE TABLE t(id INTEGER PRIMARY KEY, v); INSERT INTO t(v) VALUES(1)', relpath)
  }

  add(relpath: string): void {
    this.app.run('INSERT INTO t(v) VALUES(randomblob(50))', relpath)
  }

  async replicate(options: Partial<FleetOptions> = {}): Promise<Fleet> {
    const fleet = await Fleet.open({
      folder: { path: this.root },
      replicaOf: ({ destination }) => this.replicaAt(destination),
      restAfterMs: 0,
      ...options,
      primary: { maintenance: 'never', syncIntervalMs: 10, ...options.primary },
      onEvent: (event) => {
        this.events.push(event)
        for (const look of this.#looks) look()
        options.onEvent?.(event)
      },
    })
    this.#fleets.add(fleet)
    return fleet
  }

  replicaAt(destination: string): Replica {
    return new Replica(withPrefix(this.store, destination))
  }

  /** Resolves once this holds; looked at with every event. */
  async until(holds: () => boolean): Promise<void> {
    if (holds()) return
    await new Promise<void>((resolve) => {
      const look = (): void => {
        if (!holds()) return
        this.#looks.delete(look)
        resolve()
      }
      this.#looks.add(look)
    })
  }

  /** States that a database went through. */
  states(relpath: string): string[] {
    return this.events.flatMap((event) =>
      event.type === 'member' && event.database.relpath === relpath ? [event.state] : [],
    )
  }

  /** What primaries told of one database. */
  told(relpath: string): string[] {
    return this.events.flatMap((event) =>
      event.type === 'primary' && event.database.relpath === relpath ? [event.event.type] : [],
    )
  }

  /** The answer of the newest state in a replica. */
  async ask(destination: string, sql = 'SELECT count(*) FROM t'): Promise<unknown> {
    const path = this.folder.join('asked.db')
    const replica = this.replicaAt(destination)
    const plan = planRestore(await replica.catalog(), { kind: 'latest' })
    const result = await restore(replica, plan, fileSink(path, { overwrite: true }))
    if (!result.proven) throw new Error(`${destination} is not proven`)
    return query(path, sql)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const fleet of this.#fleets) await fleet.close({ signal: AbortSignal.abort() })
    await this.app[Symbol.asyncDispose]()
    this.folder.remove()
  }
}

/** The database of an event. */
export function databaseOf(event: FleetEvent): FleetDatabase | undefined {
  return 'database' in event ? event.database : undefined
}
