import http, { type ClientRequest, type IncomingMessage } from 'node:http'
import https from 'node:https'

/** A request as it goes out. */
export interface OutgoingRequest {
  readonly url: URL
  readonly method: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Uint8Array | undefined
  readonly agent: http.Agent
  /** Called whenever a piece of the body has gone out. */
  readonly onProgress: () => void
}

/** An answer whose body is still to come. */
export interface IncomingAnswer {
  readonly status: number
  /** @param name in lower case */
  header(name: string): string | undefined
  readonly data: IncomingMessage
  /** Ends the request: closes its connection, unless the body was read to its end. */
  close(): void
}

/**
 * Sends a request and resolves with the beginning of the answer. An abort ends it. What comes after that, aborts too, is the
 * caller's matter: by `close`.
 */
export async function sendRequest(outgoing: OutgoingRequest, signal: AbortSignal): Promise<IncomingAnswer> {
  const { url, method, headers, body, agent, onProgress } = outgoing
  signal.throwIfAborted()
  const length = method === 'GET' ? {} : { 'content-length': String(body?.length ?? 0) }
  const send = url.protocol === 'https:' ? https.request : http.request
  const request = send(url, { method, headers: { ...headers, ...length }, agent })
  const { promise, resolve, reject } = Promise.withResolvers<IncomingMessage>()
  const onAbort = (): void => {
    request.destroy(new Error('aborted'))
  }
  signal.addEventListener('abort', onAbort, { once: true })
  // Both stay: a connection may also break later, and without a listener that would end the process.
  request.on('error', reject)
  request.on('response', (response) => {
    response.on('error', () => {})
    resolve(response)
  })
  writeBody(request, body ?? EMPTY, onProgress)
  try {
    const data = await promise
    const close = (): void => {
      request.destroy()
    }
    const header = (name: string): string | undefined => data.headers[name]?.toString()
    return { status: data.statusCode ?? 0, header, data, close }
  } finally {
    signal.removeEventListener('abort', onAbort)
  }
}

const EMPTY = new Uint8Array(0)
/** Small enough that a slow line shows progress. */
const PIECE = 64 * 1024

function writeBody(request: ClientRequest, body: Uint8Array, onProgress: () => void, from = 0): void {
  for (let at = from; at < body.length; at += PIECE) {
    if (request.destroyed) return
    if (request.write(body.subarray(at, at + PIECE))) continue
    request.once('drain', () => {
      onProgress()
      writeBody(request, body, onProgress, at + PIECE)
    })
    return
  }
  request.end()
}
