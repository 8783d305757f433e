import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CLIError } from '../cli-error.ts'
import { parseDuration } from '../duration.ts'
import { EXPOSITION_TYPE } from './exposition.ts'
import type { HealthJSON } from './health-schema.ts'

/** Where metrics are offered. */
export interface ListenAddress {
  readonly host: string
  readonly port: number
}

/** `9090`, `0.0.0.0:9090`, `[::1]:9090`; without a host, this machine alone. @throws CLIError `usage` */
export function parseListenAddress(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]]+)):)?(\d{1,5})$/.exec(text) ?? []
  if (port === undefined || Number(port) > 65_535) {
    throw new CLIError(
      'usage',
      `not an address to listen at: ${text}`,
      'write a port, as 9090, or an address and a port, as 0.0.0.0:9090',
    )
  }
  return { host: bracketed ?? plain ?? '127.0.0.1', port: Number(port) }
}

/** What is answered over HTTP. */
export interface EndpointAnswers {
  /** In the text format of Prometheus. */
  readonly metrics: () => string
  /** @param maxLagMs how old a commit that a replica lacks may be; default: {@link DEFAULT_MAX_LAG_MS} */
  readonly health: (maxLagMs: number | undefined) => HealthJSON
}

interface Reply {
  readonly status: number
  readonly type: string
  readonly body: string
}

/** Offers metrics over HTTP, to be read by Prometheus and its like, and says whether all is well. */
export class MetricsEndpoint implements AsyncDisposable {
  readonly #server: Server

  private constructor(answers: EndpointAnswers) {
    this.#server = createServer((request, response) => {
      request.resume()
      const isRead = request.method === 'GET' || request.method === 'HEAD'
      const { status, type, body } = (isRead && replyTo(request.url ?? '/', answers)) || NOTHING_HERE
      response.writeHead(status, { 'content-type': type, 'content-length': Buffer.byteLength(body) })
      response.end(request.method === 'HEAD' ? undefined : body)
    })
  }

  /** @throws CLIError `address-in-use`; the system's errors */
  static async open(answers: EndpointAnswers, { host, port }: ListenAddress): Promise<MetricsEndpoint> {
    const endpoint = new MetricsEndpoint(answers)
    try {
      endpoint.#server.listen(port, host)
      await once(endpoint.#server, 'listening')
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
      throw new CLIError(
        'address-in-use',
        `another process listens at ${host}:${port}`,
        'choose another port with --metrics',
      )
    }
    return endpoint
  }

  /** With the port that was chosen where none was asked for. */
  get url(): string {
    const { address, family, port } = this.#server.address() as AddressInfo
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/metrics`
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const closed = once(this.#server, 'close')
    this.#server.close()
    this.#server.closeAllConnections()
    await closed
  }
}

const TEXT = 'text/plain; charset=utf-8'
const NOTHING_HERE: Reply = { status: 404, type: TEXT, body: 'metrics are at /metrics, health at /healthz\n' }

function replyTo(target: string, { metrics, health }: EndpointAnswers): Reply | undefined {
  const url = URL.parse(target, 'http://endpoint')
  if (url?.pathname === '/metrics') return { status: 200, type: EXPOSITION_TYPE, body: metrics() }
  if (url?.pathname !== '/healthz') return undefined
  const wished = url.searchParams.get('maxLag')
  try {
    const answer = health(wished === null ? undefined : parseDuration(wished))
    const status = answer.status === 'ok' ? 200 : 503
    return { status, type: 'application/json', body: `${JSON.stringify(answer)}\n` }
  } catch (error) {
    if (!(error instanceof CLIError)) throw error
    return { status: 400, type: TEXT, body: `${error.message}\n` }
  }
}
