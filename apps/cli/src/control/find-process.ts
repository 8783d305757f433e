import { CLIError } from '../cli-error.ts'
import { ControlClient, noProcess, RemoteError } from './client.ts'
import { runtimeFolder, runtimeSockets } from './socket.ts'

/** A process that hangs must not hide the others. */
const PROBE_MS = 5000

/** How a running process is looked for. */
export interface FindOptions {
  /** Where it listens; default: what the configuration says, else all that run as this user are asked. */
  readonly socket: string | undefined
  /** Absolute path of the database that it must have, where several run. */
  readonly database?: string | undefined
  readonly signal: AbortSignal
}

/**
 * The running `replicate` that is meant.
 * @throws CLIError `no-process`, `several-processes`
 */
export async function findProcess({ socket, database, signal }: FindOptions): Promise<ControlClient> {
  if (socket !== undefined) return new ControlClient(socket)
  const clients = (await runtimeSockets()).map((path) => new ControlClient(path))
  const alive: ControlClient[] = []
  for (const client of clients) {
    const found = await client.info({ signal, limitMs: PROBE_MS }).catch(() => undefined)
    signal.throwIfAborted()
    if (found !== undefined) alive.push(client)
  }
  const [only, ...more] = alive
  if (only === undefined) throw noProcess(`no process of this user listens in ${runtimeFolder()}`)
  if (more.length === 0) return only
  const having = database === undefined ? [] : await thoseWith(alive, database, signal)
  if (having.length === 1) return having[0] as ControlClient
  const sockets = alive.map((client) => client.socket).join(', ')
  throw new CLIError('several-processes', `several processes run: ${sockets}`, 'say with --socket which one')
}

async function thoseWith(
  clients: readonly ControlClient[],
  database: string,
  signal: AbortSignal,
): Promise<ControlClient[]> {
  const having: ControlClient[] = []
  for (const client of clients) {
    try {
      await client.status(database, { signal, limitMs: PROBE_MS })
      having.push(client)
    } catch (error) {
      signal.throwIfAborted()
      if (!(error instanceof RemoteError) || error.code !== 'unknown-database') throw error
    }
  }
  return having
}
