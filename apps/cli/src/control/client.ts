import { request } from 'node:http'
import type { z } from 'zod'
import { CLIError } from '../cli-error.ts'
import type { ExitCode } from '../exit-codes.ts'
import { change, info, liveStatus, type REQUESTS, refusal, sync } from './api-schema.ts'
import { API_VERSION } from './server.ts'

/** A process that does not answer at all must not hold up a command for ever. */
const GRACE_MS = 10_000

/** An error that a running process has answered with. */
export class RemoteError extends Error {
  override readonly name = 'RemoteError'
  readonly code: string
  readonly hint?: string
  /** What a command ends with. */
  readonly exit: ExitCode

  constructor({ error, exit }: z.infer<typeof refusal>) {
    super(error.message)
    this.code = error.code
    if (error.hint !== undefined) this.hint = error.hint
    this.exit = exit as ExitCode
  }
}

interface AskOptions {
  readonly signal: AbortSignal
  /** For the whole answer. Default: as long as it takes. */
  readonly limitMs?: number | undefined
}

const ANSWERS = { sync, start: change, stop: change, register: change, unregister: change } as const

/** Asks the process that listens at a socket. */
export class ControlClient {
  readonly socket: string

  constructor(socket: string) {
    this.socket = socket
  }

  async info(options: AskOptions): Promise<z.infer<typeof info>> {
    return info.parse(await this.#ask('GET', '/info', undefined, options))
  }

  /** @param database absolute; default: all */
  async status(database: string | undefined, options: AskOptions): Promise<z.infer<typeof liveStatus>> {
    const query = database === undefined ? '' : `?database=${encodeURIComponent(database)}`
    return liveStatus.parse(await this.#ask('GET', `/status${query}`, undefined, options))
  }

  /** @throws RemoteError; CLIError `no-process`, `no-answer` */
  async call<Name extends keyof typeof REQUESTS>(
    name: Name,
    body: z.input<(typeof REQUESTS)[Name]>,
    signal: AbortSignal,
  ): Promise<z.infer<(typeof ANSWERS)[Name]>> {
    const { timeoutMs } = body
    const limitMs = timeoutMs === undefined ? undefined : timeoutMs + GRACE_MS
    const answer = await this.#ask('POST', `/${name}`, body, { signal, limitMs })
    return ANSWERS[name].parse(answer) as z.infer<(typeof ANSWERS)[Name]>
  }

  async #ask(method: string, path: string, body: unknown, { signal, limitMs }: AskOptions): Promise<unknown> {
    const late = limitMs === undefined ? undefined : AbortSignal.timeout(Math.min(limitMs, 2 ** 31 - 1))
    const either = late === undefined ? signal : AbortSignal.any([signal, late])
    let answer: { readonly status: number; readonly text: string }
    try {
      answer = await exchange(this.socket, method, `${API_VERSION}${path}`, body, either)
    } catch (error) {
      signal.throwIfAborted()
      throw described(error as NodeJS.ErrnoException, this.socket)
    }
    const value: unknown = JSON.parse(answer.text)
    if (answer.status >= 400) throw new RemoteError(refusal.parse(value))
    return value
  }
}

function described(error: NodeJS.ErrnoException, socket: string): Error {
  if (error.code === 'ENOENT' || error.code === 'ECONNREFUSED')
    return noProcess(`nothing listens at ${socket}`)
  if (error.code !== undefined && error.code !== 'ECONNRESET' && error.code !== 'ABORT_ERR') return error
  return new CLIError(
    'no-answer',
    `the process at ${socket} ended, or did not answer`,
    'what was asked for may or may not have been done; ask again',
  )
}

/** There is no running `replicate` to talk to. */
export function noProcess(message: string): CLIError {
  return new CLIError(
    'no-process',
    message,
    'start one with sqlstream replicate, or say with --socket where it listens',
  )
}

function exchange(
  socketPath: string,
  method: string,
  path: string,
  body: unknown,
  signal: AbortSignal,
): Promise<{ readonly status: number; readonly text: string }> {
  return new Promise((resolve, reject) => {
    const sent = body === undefined ? '' : JSON.stringify(body)
    const headers = { 'content-type': 'application/json', 'content-length': Buffer.byteLength(sent) }
    const call = request({ socketPath, method, path, headers, signal, agent: false }, (response) => {
      let text = ''
      response.setEncoding('utf8')
      response.on('data', (part: string) => {
        text += part
      })
      response.once('error', reject)
      response.once('end', () => resolve({ status: response.statusCode ?? 0, text }))
    })
    call.once('error', reject)
    call.end(sent)
  })
}
