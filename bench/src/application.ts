import { Child } from './child.ts'

/** The application's database and how it uses it. */
export interface ApplicationOptions {
  readonly database: string
  /** Default 1000, as SQLite's. */
  readonly autoCheckpoint?: number
}

/** How fast and how long to write. */
export interface Pace {
  readonly seconds: number
  /** Transactions a second. Default: as many as possible. */
  readonly rate?: number
  /** Report where in the WAL each commit ended, and when. */
  readonly marks?: boolean
}

/** What the application is told to do. */
export type ApplicationRequest =
  | ({ readonly do: 'write' } & Pace)
  | { readonly do: 'commit' }
  | { readonly do: 'backlog'; readonly bytes: number; readonly distinctPages: boolean }
  | { readonly do: 'close' }

/** What it says when it is done. */
export interface ApplicationReply {
  readonly commits: number
  readonly milliseconds: number
  /** Of one transaction, in milliseconds. */
  readonly p50: number
  readonly p99: number
  readonly max: number
  /** When each commit returned, on the shared clock. */
  readonly times: readonly number[]
  /** Three numbers a commit: both salts and mxFrame. */
  readonly places: readonly number[]
}

/** An application that writes, in a process of its own. */
export class Application implements AsyncDisposable {
  readonly #child: Child<ApplicationReply>

  private constructor(child: Child<ApplicationReply>) {
    this.#child = child
  }

  /** Starts it; its database is open when this resolves. */
  static async start(options: ApplicationOptions): Promise<Application> {
    const child = new Child<ApplicationReply>('application-main', options)
    await child.receive()
    return new Application(child)
  }

  write(pace: Pace): Promise<ApplicationReply> {
    return this.#ask({ do: 'write', ...pace })
  }

  /** One transaction. Returns when it was committed, on the shared clock. */
  async commit(): Promise<number> {
    return (await this.#ask({ do: 'commit' })).times[0] ?? Number.NaN
  }

  /** Leaves about this many bytes of new frames in the WAL: each page once, or few pages many times. */
  async backlog(bytes: number, distinctPages: boolean): Promise<void> {
    await this.#ask({ do: 'backlog', bytes, distinctPages })
  }

  /** Closes the database, which takes the WAL away if nobody else has it open. */
  async close(): Promise<void> {
    await this.#ask({ do: 'close' })
    await this.#child.ended()
  }

  #ask(request: ApplicationRequest): Promise<ApplicationReply> {
    return this.#child.ask(request)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#child[Symbol.asyncDispose]()
  }
}
