import { rmSync } from 'node:fs'
import { litestreamEnvironment } from './litestream-environment.ts'
import { LitestreamVFSSession } from './litestream-vfs-session.ts'
import { runProgram } from './run-program.ts'

const MARK = '=== hydrated ==='

/** How the peer opens a replica. */
export interface VFSQueryOptions {
  /**
   * As of this instant: the peer takes files made strictly before it, so ask for a commit's header time plus
   * one millisecond. Default: the newest state.
   */
  readonly at?: Date
  /** File into which the peer restores the whole replica first; it answers from there. */
  readonly hydrateInto?: string
  /** Default 30 s. An empty replica makes the peer wait for ever. */
  readonly timeoutMs?: number
}

/** Litestream's loadable extension in Debian's sqlite3: opens a replica as a read-only database. */
export class LitestreamVFS {
  readonly name = 'litestream-vfs'
  readonly #extension: string
  readonly #sqlite3: string

  /** @param sqlite3 a shell that can load extensions and open URI filenames */
  constructor(extension: string, sqlite3: string) {
    this.#extension = extension
    this.#sqlite3 = sqlite3
  }

  /**
   * Runs statements or dot commands against a replica in a process of its own and returns what was printed.
   *
   * @param replicaUrl such as `file:///absolute/path`
   * @throws Error with the message of the peer
   */
  async query(
    replicaUrl: string,
    statements: readonly string[],
    options: VFSQueryOptions = {},
  ): Promise<string> {
    const { at, hydrateInto, timeoutMs = 30_000 } = options
    const script = [`.load ${this.#extension}`, '.open file:replica.db?vfs=litestream']
    if (at !== undefined)
      script.push('.output /dev/null', `SELECT litestream_set_time('${at.toISOString()}');`, '.output')
    const env: NodeJS.ProcessEnv = { ...litestreamEnvironment(), LITESTREAM_REPLICA_URL: replicaUrl }
    if (hydrateInto === undefined) return this.#run([...script, ...statements], env, timeoutMs)

    env['LITESTREAM_HYDRATION_ENABLED'] = 'true'
    env['LITESTREAM_HYDRATION_PATH'] = hydrateInto
    script.push('.output /dev/null', 'SELECT count(*) FROM sqlite_schema;', '.output')
    // The shell cannot wait for a value. So a session sleeps, then tells how far it came, then answers; when it
    // answered too early, the next one sleeps longer.
    for (let wait = 100; wait <= timeoutMs; wait *= 2) {
      // A session that finds the file of one that ended too early goes on with it, and tells no progress any more.
      for (const path of [hydrateInto, `${hydrateInto}.meta`]) rmSync(path, { force: true })
      const look = [`.shell sleep ${wait / 1000}`, 'PRAGMA litestream_hydration_progress;', `.print ${MARK}`]
      const output = await this.#run([...script, ...look, ...statements], env, timeoutMs)
      const [progress = '', answer = ''] = output.split(`${MARK}\n`)
      if (Number(progress) >= 100) return answer
    }
    throw new Error(`the peer did not hydrate ${replicaUrl} in ${timeoutMs} ms`)
  }

  /** The replica as SQL text, in the form of the shell's `.dump`. */
  async dump(replicaUrl: string, options?: VFSQueryOptions): Promise<string> {
    return this.query(replicaUrl, ['.dump'], options)
  }

  /** A process that has loaded the extension and keeps a replica open. It knows no instants and does not hydrate. */
  async session(): Promise<LitestreamVFSSession> {
    return await LitestreamVFSSession.start(this.#sqlite3, this.#extension)
  }

  async #run(script: readonly string[], env: NodeJS.ProcessEnv, timeoutMs: number): Promise<string> {
    const input = `${script.join('\n')}\n`
    return (await runProgram(this.#sqlite3, ['-bail', ':memory:'], { env, input, timeoutMs })).stdout
  }
}
