import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { CLIError } from '../cli-error.ts'
import { EXPOSITION_TYPE } from './exposition.ts'

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

/** Offers metrics over HTTP, to be read by Prometheus and its like. */
export class MetricsEndpoint implements AsyncDisposable {
  readonly #server: Server

  private constructor(text: () => string) {
    this.#server = createServer((request, response) => {
      request.resume()
      const path = request.url?.split('?')[0]
      const found = path === '/metrics' && (request.method === 'GET' || request.method === 'HEAD')
      const body = found ? text() : 'metrics are at /metrics\n'
      response.writeHead(found ? 200 : 404, {
        'content-type': found ? EXPOSITION_TYPE : 'text/plain; charset=utf-8',
        'content-length': Buffer.byteLength(body),
      })
      response.end(request.method === 'HEAD' ? undefined : body)
    })
  }

  /** @throws CLIError `address-in-use`; the system's errors */
  static async open(text: () => string, { host, port }: ListenAddress): Promise<MetricsEndpoint> {
    const endpoint = new MetricsEndpoint(text)
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
