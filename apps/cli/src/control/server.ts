import { once } from 'node:events'
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { CLIError } from '../cli-error.ts'
import { EXIT, type ExitCode } from '../exit-codes.ts'
import { describeFailure } from '../failure.ts'
import { EXPOSITION_TYPE } from '../metrics/exposition.ts'
import { formatDuration } from '../output/units.ts'
import type { InfoJSON, REQUESTS } from './api-schema.ts'
import { liveStatusJSON } from './api-values.ts'
import type { Roster } from './roster.ts'
import { listenAt } from './socket.ts'

/** Paths begin with this; what is understood under it does not change. */
export const API_VERSION = '/v1'
const DEFAULT_TIMEOUT_MS = 30_000
const LONGEST_BODY = 64 * 1024

/** What the control socket serves. */
export interface ControlContext {
  readonly roster: Roster
  readonly version: string
  /** The figures in the text format of Prometheus. */
  readonly metrics: () => string
}

/** The control socket of a running `replicate`: HTTP with JSON bodies over a Unix socket. */
export class ControlServer implements AsyncDisposable {
  readonly #c: ControlContext
  readonly #server: Server
  readonly #path: string
  readonly #startedAt = new Date()
  #remove: () => Promise<void> = async () => undefined

  private constructor(context: ControlContext, path: string) {
    this.#c = context
    this.#path = path
    this.#server = createServer((request, response) => void this.#answer(request, response))
  }

  /** @throws CLIError `socket-in-use`, `usage`; the system's errors */
  static async open(context: ControlContext, path: string): Promise<ControlServer> {
    const server = new ControlServer(context, path)
    server.#remove = await listenAt(server.#server, path)
    return server
  }

  get path(): string {
    return this.#path
  }

  /** Removes the socket and ends what is still being asked. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#remove()
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }

  async #answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const gone = new AbortController()
    response.once('close', () => gone.abort(new CLIError('interrupted', 'the caller has gone')))
    try {
      const url = URL.parse(request.url ?? '/', 'http://socket')
      if (url === null) throw new UnknownRoute(String(request.url))
      if (request.method === 'GET' && url.pathname === '/metrics') {
        respond(response, 200, this.#c.metrics(), EXPOSITION_TYPE)
        return
      }
      send(response, 200, await this.#handle(request, url, gone.signal))
    } catch (error) {
      const { exit, ...failure } = describeFailure(error)
      const status = error instanceof UnknownRoute ? error.status : (STATUS[exit] ?? 500)
      send(response, status, { error: failure, exit })
    }
  }

  async #handle(request: IncomingMessage, url: URL, gone: AbortSignal): Promise<unknown> {
    const { roster } = this.#c
    const route = `${request.method} ${url.pathname}`
    switch (route) {
      case `GET ${API_VERSION}/info`:
        return this.#info()
      case `GET ${API_VERSION}/status`: {
        const path = url.searchParams.get('database')
        const rows = path === null ? roster.rows() : [roster.database(path).row]
        return liveStatusJSON(this.#info(), rows, Date.now())
      }
      case `POST ${API_VERSION}/sync`: {
        const { database, timeoutMs } = await bodyOf(request, 'sync')
        return await within(timeoutMs, [gone], (signal) => roster.sync(database, signal))
      }
      case `POST ${API_VERSION}/start`: {
        const { database, timeoutMs } = await bodyOf(request, 'start')
        return await within(timeoutMs, [gone], (signal) => roster.startDatabase(database, signal))
      }
      case `POST ${API_VERSION}/register`: {
        const { database, url: place, timeoutMs } = await bodyOf(request, 'register')
        return await within(timeoutMs, [gone], (signal) => roster.register(database, place, signal))
      }
      // What was begun is carried to its end, whether or not somebody waits for it.
      case `POST ${API_VERSION}/stop`: {
        const { database, timeoutMs } = await bodyOf(request, 'stop')
        return await within(timeoutMs, [], (signal) => roster.stopDatabase(database, signal))
      }
      case `POST ${API_VERSION}/unregister`: {
        const { database, timeoutMs } = await bodyOf(request, 'unregister')
        return await within(timeoutMs, [], (signal) => roster.unregister(database, signal))
      }
      default:
        throw new UnknownRoute(route)
    }
  }

  #info(): InfoJSON {
    return {
      version: this.#c.version,
      pid: process.pid,
      startedAt: this.#startedAt.toISOString(),
      socket: this.#path,
      databases: [...this.#c.roster.rows()].length,
    }
  }
}

/** HTTP says roughly what the exit code of a command would say. */
const STATUS: Readonly<Partial<Record<ExitCode, number>>> = {
  [EXIT.usage]: 400,
  [EXIT.notFound]: 404,
  [EXIT.conflict]: 409,
  [EXIT.fenced]: 409,
  [EXIT.unsupported]: 422,
  [EXIT.unavailable]: 503,
  [EXIT.timedOut]: 504,
}

class UnknownRoute extends CLIError {
  readonly status = 404

  constructor(route: string) {
    super('usage', `there is nothing at ${route}`, `paths begin with ${API_VERSION}; see docs/control.md`)
  }
}

/** @throws CLIError `timed-out`; what the task throws */
async function within<T>(
  timeoutMs: number = DEFAULT_TIMEOUT_MS,
  signals: readonly AbortSignal[],
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const late = AbortSignal.timeout(timeoutMs)
  try {
    return await task(AbortSignal.any([late, ...signals]))
  } catch (error) {
    if (!late.aborted) throw error
    throw new CLIError(
      'timed-out',
      `not done within ${formatDuration(timeoutMs)}`,
      'sqlstream status --live shows what keeps it; --timeout gives it longer',
    )
  }
}

async function bodyOf<Name extends keyof typeof REQUESTS>(
  request: IncomingMessage,
  name: Name,
): Promise<ReturnType<(typeof REQUESTS)[Name]['parse']>> {
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of request) {
    size += (chunk as Buffer).length
    if (size > LONGEST_BODY) throw new CLIError('usage', `the body has more than ${LONGEST_BODY} bytes`)
    chunks.push(chunk as Buffer)
  }
  let value: unknown
  try {
    value = JSON.parse(Buffer.concat(chunks).toString('utf8'))
  } catch {
    throw new CLIError('usage', 'the body is no JSON')
  }
  // With it comes what checks: a process that nobody asks anything need not load that.
  const { REQUESTS: requests } = await import('./api-schema.ts')
  const parsed = requests[name].safeParse(value)
  if (parsed.success) return parsed.data as ReturnType<(typeof REQUESTS)[Name]['parse']>
  const [issue] = parsed.error.issues
  throw new CLIError('usage', `the body is not as expected: ${issue?.path.join('.')} ${issue?.message}`)
}

function send(response: ServerResponse, status: number, value: unknown): void {
  respond(response, status, `${JSON.stringify(value)}\n`, 'application/json')
}

function respond(response: ServerResponse, status: number, text: string, type: string): void {
  if (response.destroyed) return
  response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(text) })
  response.end(text)
}
