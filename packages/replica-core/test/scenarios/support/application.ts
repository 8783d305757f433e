import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { TempFolder } from '@sqlstream/testkit'
import { CHECKPOINT_LOCK, isReadSlot, lockedBytes, stateOf } from './locks.ts'

/** Statements to execute. */
export interface ExecRequest {
  readonly do: 'exec'
  readonly connection: string
  readonly sql: string
  /** How long they wait at least while others write. */
  readonly patienceMs: number
}

/** A checkpoint for which SQLite waits until others have done. */
export type CheckpointMode = 'FULL' | 'RESTART' | 'TRUNCATE'

/** What the child is asked. */
export type Request =
  | {
      readonly do: 'open'
      readonly connection: string
      readonly path: string
      readonly busyTimeoutMs: number
    }
  | ExecRequest
  | { readonly do: 'query'; readonly connection: string; readonly sql: string }
  | { readonly do: 'close'; readonly connection: string }
/** What it answers. */
export interface Answer {
  readonly value?: unknown
  readonly error?: string
  readonly code?: string
}

const ANSWER_MS = 60_000
/** Many times as long as writers are kept out. */
const PATIENCE_MS = 2000
const sleeper = new Int32Array(new SharedArrayBuffer(4))

/**
 * An application in a process of its own, which does what a test tells it, also from inside a synchronous
 * failpoint hook: requests and answers go through two named pipes. The test process itself must never
 * open a database that it replicates.
 */
export class Application implements AsyncDisposable {
  readonly #child: ChildProcess
  readonly #pipes: TempFolder
  readonly #requests: number
  readonly #answers: number
  #text = ''

  private constructor(child: ChildProcess, pipes: TempFolder, requests: number, answers: number) {
    this.#child = child
    this.#pipes = pipes
    this.#requests = requests
    this.#answers = answers
  }

  /** Starts the process, without a database. */
  static async start(): Promise<Application> {
    const pipes = new TempFolder('application')
    const names = [pipes.join('requests'), pipes.join('answers')] as const
    execFileSync('mkfifo', [...names])
    // Not waiting for the other end: it is there once the child says so.
    const answers = openSync(names[1], constants.O_RDONLY | constants.O_NONBLOCK)
    const script = fileURLToPath(new URL('./application-main.ts', import.meta.url))
    const child = spawn(process.execPath, ['--conditions=@sqlstream/source', script, ...names], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    })
    const requests = openSync(names[0], 'r+')
    await once(child, 'message')
    return new Application(child, pipes, requests, answers)
  }

  get pid(): number {
    return this.#child.pid!
  }

  /** Opens a connection. */
  open(path: string, connection = 'main', busyTimeoutMs = 0): this {
    this.#ask({ do: 'open', connection, path, busyTimeoutMs })
    return this
  }

  /**
   * Executes statements and waits for them, blocking. Errors carry SQLite's code.
   *
   * @param patienceMs how long they wait for a barrier of ours, which is over by itself, as an application should
   */
  run(sql: string, connection = 'main', patienceMs = PATIENCE_MS): void {
    this.#ask({ do: 'exec', connection, sql, patienceMs })
  }

  /** As `run`, again and again while the lock is with somebody else, for whom this process may have to do something first. */
  async runWhenFree(sql: string, connection = 'main'): Promise<void> {
    for (;;) {
      try {
        this.run(sql, connection, 0)
        return
      } catch (error) {
        if ((error as { code?: string }).code !== 'SQLITE_BUSY') throw error
        await sleep(5)
      }
    }
  }

  /** The rows of a query, as arrays. */
  query(sql: string, connection = 'main'): unknown[][] {
    return this.#ask({ do: 'query', connection, sql }) as unknown[][]
  }

  /** The only value of a query. */
  value(sql: string, connection = 'main'): unknown {
    return this.query(sql, connection)[0]?.[0]
  }

  /** As `run`, while the replicator in this process goes on working. */
  async runBeside(sql: string, connection = 'main'): Promise<void> {
    await this.#askBeside({ do: 'exec', connection, sql, patienceMs: PATIENCE_MS })
  }

  /** As `query`, while the replicator in this process goes on working. */
  async queryBeside(sql: string, connection = 'main'): Promise<unknown[][]> {
    return (await this.#askBeside({ do: 'query', connection, sql })) as unknown[][]
  }

  /**
   * Begins a checkpoint that waits for somebody's lock, and returns once it does (Linux): it has the checkpoint lock, holds no
   * read slot, and sleeps, which it does only between two looks at the lock that it waits for.
   *
   * @returns its answer: `busy`, frames in the WAL, frames in the database
   * @throws Error when nothing keeps it from going on
   */
  beginCheckpoint(database: string, mode: CheckpointMode, connection = 'main'): Promise<number[]> {
    const rows = this.queryBeside(`PRAGMA wal_checkpoint(${mode})`, connection)
    const until = performance.now() + ANSWER_MS
    for (;;) {
      const locked = lockedBytes(`${database}-shm`, this.pid)
      const waits = locked.includes(CHECKPOINT_LOCK) && !locked.some((byte) => isReadSlot(byte))
      if (waits && stateOf(this.pid) === 'S') return rows.then(([row]) => row as number[])
      if (performance.now() > until) throw new Error(`the ${mode} checkpoint waits for nobody`)
      Atomics.wait(sleeper, 0, 0, 0.2)
    }
  }

  /** Closes a connection. */
  close(connection = 'main'): void {
    this.#ask({ do: 'close', connection })
  }

  /** Stops the process where it is, as a busy machine may at any time; returns once it stands (Linux). */
  stop(): void {
    this.#child.kill('SIGSTOP')
    while (stateOf(this.pid) !== 'T') Atomics.wait(sleeper, 0, 0, 0.2)
  }

  /** After a {@link stop}. */
  goOn(): void {
    this.#child.kill('SIGCONT')
  }

  /** SIGKILL: the WAL stays as it is. */
  async kill(): Promise<void> {
    if (this.#child.exitCode === null && this.#child.signalCode === null) {
      const gone = once(this.#child, 'exit')
      this.#child.kill('SIGKILL')
      await gone
    }
    closeSync(this.#requests)
    closeSync(this.#answers)
    this.#pipes.remove()
  }

  async [Symbol.asyncDispose](): Promise<void> {
    // The folder is there as long as the pipes are open.
    if (this.#isOpen()) await this.kill()
  }

  #isOpen(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  #ask(request: Request): unknown {
    this.#send(request)
    const until = performance.now() + ANSWER_MS
    for (;;) {
      const answer = this.#poll()
      if (answer !== undefined) return result(request, answer)
      if (performance.now() > until) throw new Error(`no answer to ${JSON.stringify(request)}`)
      Atomics.wait(sleeper, 0, 0, 0.2)
    }
  }

  async #askBeside(request: Request): Promise<unknown> {
    this.#send(request)
    const until = performance.now() + ANSWER_MS
    for (;;) {
      const answer = this.#poll()
      if (answer !== undefined) return result(request, answer)
      if (performance.now() > until) throw new Error(`no answer to ${JSON.stringify(request)}`)
      await sleep(1)
    }
  }

  #send(request: Request): void {
    writeSync(this.#requests, `${JSON.stringify(request)}\n`)
  }

  /** The next answer, if it is there. */
  #poll(): Answer | undefined {
    const buffer = new Uint8Array(1 << 16)
    let length = 0
    try {
      length = readSync(this.#answers, buffer)
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined
      throw error
    }
    if (length === 0) throw new Error('the application has died')
    this.#text += new TextDecoder().decode(buffer.subarray(0, length))
    const end = this.#text.indexOf('\n')
    if (end < 0) return undefined
    const line = this.#text.slice(0, end)
    this.#text = this.#text.slice(end + 1)
    return JSON.parse(line) as Answer
  }
}

function result(request: Request, answer: Answer): unknown {
  if (answer.error === undefined) return answer.value
  const what = request.do === 'exec' || request.do === 'query' ? request.sql.slice(0, 80) : request.do
  throw Object.assign(new Error(`${what}: ${answer.error}`), { code: answer.code })
}
