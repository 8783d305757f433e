import { Agent, type IncomingMessage, request as sendRequest } from 'node:http'
import type { HttpReply, HttpRequest, HttpRequestHead, HttpService } from './faulty-http-server.ts'

/** How a service in another process speaks. */
export type HttpDialect = Pick<HttpService, 'nameOf' | 'refuse'>

/** Of one connection, not of the message that comes along it. */
const HOP_BY_HOP = ['connection', 'keep-alive', 'transfer-encoding', 'expect']

/**
 * A service that passes everything on to a real one, for `FaultyHttpServer`: the real server under a plan of faults. Requests and
 * answers are held in memory whole.
 * @param origin `http://127.0.0.1:PORT`
 */
export function proxyTo(origin: string, dialect: HttpDialect): HttpService {
  const agent = new Agent({ keepAlive: true })
  return {
    nameOf: (request: HttpRequestHead) => dialect.nameOf(request),
    refuse: (request: HttpRequestHead, status: number, code: string | undefined) =>
      dialect.refuse(request, status, code),
    handle: (request: HttpRequest) => forward(origin, agent, request),
  }
}

async function forward(origin: string, agent: Agent, request: HttpRequest): Promise<HttpReply> {
  const { method, target, headers, body } = request
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  sendRequest(`${origin}${target}`, { method, agent, headers: endToEnd(headers) }, resolve)
    .on('error', reject)
    .end(body)
  const answer = await promise
  const chunks: Buffer[] = []
  for await (const chunk of answer) chunks.push(chunk as Buffer)
  return {
    status: answer.statusCode!,
    headers: endToEnd(answer.headers) as Record<string, string>,
    body: Buffer.concat(chunks),
  }
}

function endToEnd<T>(headers: Readonly<Record<string, T>>): Record<string, T> {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !HOP_BY_HOP.includes(name)))
}
